// Runs a script of saves, as tests/interop/check_saver.py does with TensorFlow's Saver.   usage: saver_side SCRIPT
//
//     clock SECONDS                                  what time it is from here on
//     saver [max_to_keep=N] [hours=H] [sharded=1] [pad=1] [relative=1] [renamed=1]      savers are numbered from 0
//     set VALUE                                      of every element of both variables
//     save SAVER PREFIX [step=N] [meta=0] [state=0] [latest=NAME]
//     last SAVER PATH...    timed SAVER PATH=TIME...    recover SAVER PATH...           what earlier runs saved
//     ask DIRECTORY [NAME]    exists PREFIX    list PREFIX                               prints what is there
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/ops/ops.hpp>

#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

using namespace tenon;

namespace {

/// The words of a line: those with '=' by name, the others in order.
struct Words {
    std::vector<std::string> plain{};
    std::map<std::string, std::string> named{};
    explicit Words(std::istringstream& line, bool all_plain) {
        for (std::string word; line >> word;) {
            const auto at = word.find('=');
            if (all_plain || at == word.npos) plain.push_back(word);
            else named[word.substr(0, at)] = word.substr(at + 1);
        }
    }
    std::string get(const std::string& name, const std::string& otherwise) const { return named.contains(name) ? named.at(name) : otherwise; }
    bool flag(const std::string& name, bool otherwise = false) const { return get(name, otherwise ? "1" : "0") == "1"; }
    int number(std::size_t i) const { return std::stoi(plain.at(i)); }
    std::vector<std::string> from(std::size_t i) const { return {plain.begin() + static_cast<std::ptrdiff_t>(i), plain.end()}; }
};

class Script {
    Variable<float, Shape<2, 3>> w_{"w", zeros()};
    Variable<float, Shape<3>> b_{"b", zeros()};
    Session session_;
    double now_ = 0;
    std::vector<Saver> savers_;

    void make_saver(const Words& words) {
        const SaverOptions options{.max_to_keep = std::stoi(words.get("max_to_keep", "5")), .keep_checkpoint_every_n_hours = std::stod(words.get("hours", "10000")), .sharded = words.flag("sharded"),
                                   .pad_step_number = words.flag("pad"), .save_relative_paths = words.flag("relative")};
        if (words.flag("renamed")) savers_.emplace_back(std::vector<SavedAs>{{"layer/kernel", w_}, {"a/bias", b_}}, options);
        else savers_.emplace_back(w_, b_, options);
        savers_.back().history() = CheckpointHistory({.max_to_keep = options.max_to_keep, .keep_checkpoint_every_n_hours = options.keep_checkpoint_every_n_hours,
                                                      .save_relative_paths = options.save_relative_paths, .clock = [this] { return now_; }});
    }
    void save(const Words& words) {
        SaveOptions options{.write_meta_graph = words.flag("meta", true), .meta = MetaFormat::binary, .latest_filename = words.get("latest", "checkpoint"), .write_state = words.flag("state", true)};
        if (words.named.contains("step")) options.global_step = std::stoll(words.named.at("step"));
        std::cout << savers_.at(static_cast<std::size_t>(words.number(0))).save(session_, words.plain.at(1), options) << '\n';
    }
    static void list(const std::string& prefix) {
        for (const auto& t : list_variables(prefix)) std::cout << t.name << ' ' << name_of(t.dtype) << ' ' << to_string(t.shape) << ' ' << load_variable(prefix, t.name).item<float>() << '\n';
    }

public:
    void run(const std::string& text) {
        std::istringstream line(text);
        std::string command;
        line >> command;
        const Words words(line, command == "timed");
        const auto history = [&]() -> CheckpointHistory& { return savers_.at(static_cast<std::size_t>(words.number(0))).history(); };
        if (command == "clock") now_ = std::stod(words.plain.at(0));
        else if (command == "saver") make_saver(words);
        else if (command == "save") save(words);
        else if (command == "last") history().set_last_checkpoints(words.from(1));
        else if (command == "recover") history().recover_last_checkpoints(words.from(1));
        else if (command == "list") list(words.plain.at(0));
        else if (command == "exists") std::cout << checkpoint_exists(words.plain.at(0)) << '\n';
        else if (command == "set") {
            std::fill_n(w_.value().data<float>(), 6, std::stof(words.plain.at(0)));
            std::fill_n(b_.value().data<float>(), 3, std::stof(words.plain.at(0)));
        } else if (command == "timed") {
            std::vector<std::pair<std::string, double>> paths;
            for (const auto& word : words.from(1)) paths.emplace_back(word.substr(0, word.find('=')), std::stod(word.substr(word.find('=') + 1)));
            history().set_last_checkpoints_with_time(paths);
        } else if (command == "ask") {
            const auto name = words.plain.size() > 1 ? words.plain[1] : "checkpoint";
            const auto state = get_checkpoint_state(words.plain[0], name);
            std::cout << latest_checkpoint(words.plain[0], name).value_or("None") << '\n' << (state ? state->model_checkpoint_path : "None");
            if (state) for (const auto& path : state->all_model_checkpoint_paths) std::cout << ' ' << path;
            std::cout << '\n';
        } else throw ValueError("no such command: " + text);
    }
};

}  // namespace

int main(int, char** argv) {
    std::ifstream lines(argv[1]);
    Script script;
    for (std::string line; std::getline(lines, line);) if (!line.empty()) script.run(line);
}
