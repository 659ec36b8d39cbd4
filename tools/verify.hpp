// `tenon verify`: everything that is wrong with a checkpoint, and with the agreement of its graph with it.
#pragma once
#include "columns.hpp"
#include "model_files.hpp"

#include <tenon/checkpoint/importing.hpp>

#include <iostream>

namespace tenon::tool {

/// Prints a line for what is whole and remarks; defects go to stderr, one a line.
inline int verify(const std::string& path) {
    Model model;
    try {
        model = find_model(path);
    } catch (const MissingFileError&) {
        model.prefix = path;  // whose index is missing: verify_bundle says so, and its graph may still be there
        if (file_exists(meta_name(path))) model.graph = meta_name(path);
    }
    if (!model.has_checkpoint()) model.prefix = path;
    auto defects = verify_bundle(model.prefix);
    std::vector<std::string> remarks;
    const bool whole = defects.empty();
    std::string graph_line;
    if (model.has_graph())
        tenon::detail::attempt(&defects, [&] {
            auto file = read_graph_file(model.graph);
            const auto [graph, saver] = tenon::detail::imported(std::make_shared<const Imported>(std::move(file.only())), builtin_ops(), file.path);
            graph_line = model.graph + ": " + counted(graph.operations().size(), "node") + ", restores " + counted(saver.variables().size(), "variable");
            RestoreReport report;
            try {
                report = saver.compare(model.prefix);
            } catch (const FileError&) {
                if (whole) throw;
                return;  // its index is at fault, which has been said
            }
            for (const auto* list : {&report.missing, &report.mistyped, &report.misshaped})
                for (const auto& line : *list) defects.push_back(model.graph + ": " + line);
            for (const auto& name : report.unused) remarks.push_back(model.prefix + ": the graph does not restore " + name);
        });
    if (whole) {
        const BundleReader reader(model.prefix);
        std::uint64_t bytes = 0;
        for (const auto& t : reader.tensors()) bytes += t.bytes();
        std::cout << printable(model.prefix) << ": " << counted(reader.tensors().size(), "tensor") << " in " << counted(reader.shards(), "shard") << ", " << bytes_text(bytes)
                  << ", all checksums right\n";
    }
    if (!graph_line.empty()) std::cout << printable(graph_line) << '\n';
    for (const auto& r : remarks) std::cout << "remark: " << printable(r) << '\n';
    for (const auto& d : defects) std::cerr << "tenon: " << printable(d) << '\n';
    if (!defects.empty()) std::cerr << "tenon: " << counted(defects.size(), "defect") << '\n';
    return defects.empty() ? 0 : 1;
}

}  // namespace tenon::tool
