// `tenon run`: a graph's ops run from the shell, with arrays in NumPy's files.
#pragma once
#include "columns.hpp"
#include "model_files.hpp"
#include "npy.hpp"

#include <tenon/checkpoint/importing.hpp>

#include <chrono>
#include <iostream>

namespace tenon::tool {

struct NameAndFile {
    std::string name, file;
};
struct RunOptions {
    std::string meta{}, save{};
    std::vector<std::string> init{}, targets{};
    std::vector<NameAndFile> feeds{}, fetches{};
    std::uint32_t steps = 1;
    bool time = false;
};

namespace detail {

/// The array of a file as a value of `of`. NumPy lacks some dtypes: what npy::encode writes in place of them is taken back.
inline Feed feed_from(const Graph& graph, const NameAndFile& f) {
    const auto of = graph.get_tensor_by_name(f.name);
    if (of.operation->results.empty()) throw FeedError("[feed] " + describe(*of.operation) + " has no output to feed");
    auto value = npy::read(f.file);
    if (npy::written_as(of.dtype()) != tenon::name_of(value.dtype())) return {of, value};
    if (of.dtype() != DType::bfloat16) return {of, Tensor(of.dtype(), value.dims(), value.raw(), value.owner())};
    Tensor narrow(DType::bfloat16, value.dims());
    for (std::int64_t i = 0; i < value.size(); ++i) narrow.data<bfloat16>()[i] = bfloat16(value.data<float>()[i]);
    return {of, narrow};
}
inline std::string time_text(double seconds) {
    char text[32];
    if (seconds < 1e-3) std::snprintf(text, sizeof text, "%.1f us", seconds * 1e6);
    else if (seconds < 1) std::snprintf(text, sizeof text, "%.2f ms", seconds * 1e3);
    else std::snprintf(text, sizeof text, "%.2f s", seconds);
    return text;
}
template <class F> double seconds_of(F f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
inline void remark_on_values(const Graph& graph) {
    std::vector<std::string> without;
    for (const auto& v : graph.variables()) if (!v.operation->state->initialized) without.push_back(v.operation->name);
    if (without.empty()) return;
    std::cout << "remark: " << counted(without.size(), "variable") << " without a value:";
    for (std::size_t i = 0; i < without.size() && i < 10; ++i) std::cout << (i ? ", " : " ") << printable(without[i]);
    std::cout << (without.size() > 10 ? ", ...\n" : "\n");
}

}  // namespace detail

/// Errors    those of the library. Files are written when everything has been run
inline int run(const std::string& path, const RunOptions& options) {
    auto found = find_model(path);
    if (!options.meta.empty()) found.graph = options.meta;
    if (!found.has_graph()) throw MissingFileError(found.prefix + ": there is no " + meta_name(found.prefix) + "; name the graph with --meta");
    auto file = read_graph_file(found.graph);
    const auto format = file.format;
    auto model = tenon::detail::imported(std::make_shared<const Imported>(std::move(file.only())), builtin_ops(), found.graph);
    Session session{model.graph};

    // Every name and file is looked at before anything runs.
    const auto tensor = [&](const std::string& name) { return model.graph.get_tensor_by_name(name); };
    std::vector<Output> init, wanted;
    std::vector<Feed> feeds;
    for (const auto& name : options.init) init.push_back(tensor(name));
    for (const auto& name : options.targets) wanted.push_back(tensor(name));
    for (const auto& f : options.fetches) {
        wanted.push_back(tensor(f.name));
        if (wanted.back().operation->results.empty()) throw NameError("[fetch] " + describe(*wanted.back().operation) + " has no output to fetch; run it with --target");
    }
    for (const auto& f : options.feeds) feeds.push_back(detail::feed_from(model.graph, f));

    for (const auto& o : init) session.run_all({o});
    if (found.has_checkpoint() && !model.saver.variables().empty()) model.saver.restore(session, found.prefix);
    detail::remark_on_values(model.graph);

    std::vector<Tensor> values;
    if (!wanted.empty()) {
        const auto planned = options.time ? detail::seconds_of([&] { session.make_callable(wanted, feeds); }) : 0;
        std::vector<double> times;
        for (std::uint32_t i = 0; i < options.steps; ++i) times.push_back(detail::seconds_of([&] { values = session.run_all(wanted, feeds); }));
        if (options.time) {
            const auto first = times[0];
            std::sort(times.begin(), times.end());
            const auto median = (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
            std::cout << "plan " << detail::time_text(planned) << ", first run " << detail::time_text(first) << ", best " << detail::time_text(times[0]) << ", median "
                      << detail::time_text(median) << " of " << counted(times.size(), "run") << '\n';
        }
    }
    for (std::size_t i = 0; i < options.fetches.size(); ++i) {
        const auto& f = options.fetches[i];
        const auto& value = values[options.targets.size() + i];
        npy::write(f.file, value);
        const auto as = npy::written_as(value.dtype());
        std::cout << printable(sentence(f.file, ": ", f.name, " ", value.dtype(), " ", value.dims(), as ? sentence(", written as ", *as, ", since NumPy has no ", value.dtype()) : "")) << '\n';
    }
    if (!options.save.empty()) {
        const auto prefix = model.saver.save(session, options.save, {.meta = format});
        std::cout << printable(prefix) << ": " << counted(model.saver.variables().size(), "variable") << " saved\n";
    }
    return 0;
}

}  // namespace tenon::tool
