// The static library: every kernel, compiled once, for programs that import graphs and want to compile fast.
#include <tenon/graph/op_list.hpp>

#include <tenon/graph/builtin_ops.hpp>

namespace tenon {

OpIndex builtin_ops() { return index_of<AllOps>(); }

const OpTable& prebuilt_table(std::string_view name, DType dtype) {
    for (const OpTable* t : tables_named(builtin_ops(), name)) if (t->dtype == dtype) return *t;
    throw UnsupportedError("[" + std::string(name) + "] the library has no kernel for " + std::string(name_of(dtype)));
}

}  // namespace tenon
