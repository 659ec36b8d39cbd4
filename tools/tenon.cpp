// The command-line tool: `tenon inspect`, `verify`, `run`, `convert`. docs/tool.md describes it.
//
// Exit status 0: good; 1: a file or model is at fault, every defect named on stderr; 2: usage.
#include "convert.hpp"
#include "inspect.hpp"
#include "run.hpp"
#include "verify.hpp"

#include <CLI/CLI.hpp>

namespace {

using namespace tenon;
using namespace tenon::tool;

/// "x:0=x.npy"; names of tensors have no '='.
std::vector<NameAndFile> split(const std::string& option, const std::vector<std::string>& given) {
    std::vector<NameAndFile> all;
    for (const auto& text : given) {
        const auto at = text.find('=');
        if (at == text.npos || at == 0 || at + 1 == text.size()) throw CLI::ValidationError(option, "'" + text + "' is not NAME=FILE.npy");
        all.push_back({text.substr(0, at), text.substr(at + 1)});
    }
    return all;
}

constexpr auto inspect_usage = "  tenon inspect PATH [--json]\n";
constexpr auto verify_usage = "  tenon verify  PREFIX\n";
constexpr auto run_usage = "  tenon run     PATH [--meta FILE] [--init OP]... [--feed NAME=FILE.npy]... [--target OP]... [--fetch NAME=FILE.npy]... [--steps N] [--save PREFIX] [--time]\n";
constexpr auto convert_usage = "  tenon convert SRC DST [--meta json|binary|text] [--shards N]\n";

int run_tool(int argc, char** argv) {
    CLI::App app("Looks at, checks, runs and converts TensorFlow checkpoints and graphs.", "tenon");
    app.set_version_flag("--version", "tenon " TENON_VERSION);
    app.require_subcommand(1);
    app.footer(sentence(inspect_usage, verify_usage, run_usage, convert_usage, "\n") +
               "A PREFIX is what TensorFlow's Saver takes and gives: 'model-1000' for model-1000.index, .data-... and .meta.\n"
               "A directory stands for the SavedModel in it, or for the newest checkpoint that its file 'checkpoint' names.\n\n"
               "Examples:\n"
               "  tenon inspect model-1000\n"
               "  tenon verify model-1000\n"
               "  tenon run model-1000 --feed x:0=digits.npy --fetch softmax:0=classes.npy\n"
               "  tenon run model-1000 --feed x:0=x.npy --feed y:0=y.npy --target train --steps 100 --save model-1100\n"
               "  tenon convert old_v1_checkpoint model --meta binary\n\n"
               "Exit status: 0 good, 1 a file or model is at fault, 2 usage.");
    std::string path;

    auto* const inspecting = app.add_subcommand("inspect", "Lists what a checkpoint and a graph hold");
    bool json = false;
    inspecting->add_option("PATH", path, "a checkpoint's prefix, a graph (.meta, .pb, .pbtxt, .json), or a directory")->required();
    inspecting->add_flag("--json", json, "print one JSON object");
    inspecting->footer(inspect_usage + std::string("\n") + "Examples:\n  tenon inspect model-1000\n  tenon inspect frozen.pb --json\n  tenon inspect saved_model_directory");

    auto* const verifying = app.add_subcommand("verify", "Checks every byte of a checkpoint, and that it fits its graph");
    verifying->add_option("PREFIX", path, "a checkpoint's prefix, or a directory")->required();
    verifying->footer(verify_usage + std::string("\n") + "Example:\n  tenon verify model-1000");

    auto* const running = app.add_subcommand("run", "Runs ops of a graph, with arrays from and to NumPy files");
    RunOptions runs;
    std::vector<std::string> feeds, fetches;
    const auto each = [&](const char* name, std::vector<std::string>& into, const char* type, const char* what) { running->add_option(name, into, what)->type_name(type)->expected(1)->take_all(); };
    running->add_option("PATH", path, "a checkpoint's prefix, a graph (.meta, .pb, .pbtxt, .json), or a directory")->required();
    running->add_option("--meta", runs.meta, "the graph, if it is not PREFIX.meta")->type_name("FILE");
    each("--init", runs.init, "OP", "an op to run once, before restoring");
    each("--feed", feeds, "NAME=FILE.npy", "a tensor's value in every step");
    each("--target", runs.targets, "OP", "an op to run in every step");
    each("--fetch", fetches, "NAME=FILE.npy", "a tensor whose value in the last step is written");
    running->add_option("--steps", runs.steps, "how often targets and fetches are run")->type_name("N")->check(CLI::PositiveNumber);
    running->add_option("--save", runs.save, "save the variables and the graph after the last step")->type_name("PREFIX");
    running->add_flag("--time", runs.time, "print how long planning and runs took");
    running->footer(run_usage + std::string("\n") + "Runs the ops of --init, restores the checkpoint if there is one, then runs all targets and fetches together, N times.\n\n"
                    "Examples:\n"
                    "  tenon run model-1000 --feed x:0=digits.npy --fetch softmax:0=classes.npy --time --steps 50\n"
                    "  tenon run frozen.pb --feed x:0=x.npy --fetch y:0=y.npy\n"
                    "  tenon run graph.meta --init init --target train --feed x:0=x.npy --steps 100 --save trained");

    auto* const converting = app.add_subcommand("convert", "Reads a checkpoint of any version, with its graph, and writes it again");
    std::string to, meta;
    std::uint32_t shards = 0;
    converting->add_option("SRC", path, "a checkpoint's prefix, a graph, or a directory")->required();
    converting->add_option("DST", to, "the prefix to write; a file, if SRC is a graph alone")->required();
    converting->add_option("--meta", meta, "how the graph is written; as it was if not given")->type_name("FORMAT")->check(CLI::IsMember({"json", "binary", "text"}));
    converting->add_option("--shards", shards, "number of data files; as it was if not given")->type_name("N")->check(CLI::Range(1u, 99999u));
    converting->footer(convert_usage + std::string("\n") + "Examples:\n  tenon convert old_v1_checkpoint model\n  tenon convert model-1000 readable --meta json\n  tenon convert graph.pbtxt graph.pb --meta binary");

    try {
        app.parse(argc, argv);
        runs.feeds = split("--feed", feeds);
        runs.fetches = split("--fetch", fetches);
        if (*running && runs.init.empty() && runs.targets.empty() && fetches.empty() && runs.save.empty())
            throw CLI::ValidationError("run", "there is nothing to run: give --fetch, --target, --init or --save");
        if (*converting && tenon::detail::absolute_names(path) == tenon::detail::absolute_names(to)) throw CLI::ValidationError("convert", "SRC and DST are the same");
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    if (*inspecting) return inspect(path, json);
    if (*verifying) return verify(path);
    if (*running) return run(path, runs);
    ConvertOptions options;
    if (!meta.empty()) options.meta = meta == "json" ? MetaFormat::json : meta == "text" ? MetaFormat::text : MetaFormat::binary;
    if (shards) options.shards = shards;
    return convert(path, to, options);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run_tool(argc, argv);
    } catch (const tenon::Error& e) {
        std::cerr << "tenon: " << e.what() << '\n';
    } catch (const std::bad_alloc&) { std::cerr << "tenon: there is not enough memory\n"; }
    return 1;
}
