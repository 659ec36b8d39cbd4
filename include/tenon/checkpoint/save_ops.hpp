// The ops of a Saver's own nodes, for graphs that are run by name: session.run("save/restore_all", feed("save/Const:0", prefix)).
// A Saver does not run them.
#pragma once
#include "../expr/node.hpp"
#include "../graph/op_index.hpp"
#include "bundle_merge.hpp"
#include "bundle_reader.hpp"
#include "bundle_writer.hpp"

namespace tenon {

namespace detail {
inline std::span<const std::string> strings_of(const Ref& r) { return {static_cast<const std::string*>(r.data), static_cast<std::size_t>(r.dims.size())}; }
/// What SaveV2 and RestoreV2 are told first: a prefix, and as many names as slices.
inline Inferred check_names(const char* op, std::span<const Ref> in) {
    const auto& names = in[1].dims;
    if (in[0].dims.ranked() && in[0].dims.rank != 0) return reject("[", op, "] prefix ", in[0].dims, " is no scalar");
    if (!compatible(names, {dyn}) || !compatible(in[2].dims, names)) return reject("[", op, "] ", names, " tensor names, ", in[2].dims, " shapes and slices");
    return Dims::unranked();
}
}  // namespace detail

/// Writes tensors to a checkpoint.
///
/// Shapes    prefix [], tensor_names [n], shape_and_slices [n], n tensors
/// Errors    those of BundleWriter
struct SaveV2 {
    static constexpr const char* name = "SaveV2";
    static constexpr bool variadic = true, stateful = true, differentiable = false;
    static constexpr int outputs = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::input_list, "dtypes", 3}};
    static constexpr DType input_type(std::size_t i, DType) { return i < 3 ? DType::string : any_dtype; }
    static Inferred infer_refs(std::span<const Ref> in) {
        if (in.size() < 3) return reject("[SaveV2] has ", static_cast<std::int64_t>(in.size()), " inputs, takes 3 or more");
        if (!compatible(in[1].dims, {static_cast<std::int64_t>(in.size()) - 3})) return reject("[SaveV2] ", in[1].dims, " names for ", static_cast<std::int64_t>(in.size()) - 3, " tensors");
        return detail::check_names(name, in);
    }
    template <class T> void compute(const Call& c) const {
        const auto names = detail::strings_of(*c.in[1]), slices = detail::strings_of(*c.in[2]);
        BundleWriter writer(detail::strings_of(*c.in[0])[0]);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const Ref& r = *c.in[i + 3];
            const Tensor value(r.dtype, r.dims, r.data, nullptr);
            if (const auto part = ShapeAndSlice::parse(slices[i])) writer.add_slice(names[i], part->shape, part->slice, value);
            else writer.add(names[i], value);
        }
        writer.finish();
    }
};

/// Reads tensors from a checkpoint, of either version. A plan knows their extents, so it looks into the file; making the graph does not.
///
/// Shapes    prefix [], tensor_names [n], shape_and_slices [n] -> n tensors
/// Errors    RestoreError, which lists every tensor that is missing or of another type or shape; those of BundleReader
struct RestoreV2 {
    std::vector<DType> dtypes;
    static constexpr const char* name = "RestoreV2";
    static constexpr int arity = 3;
    static constexpr bool stateful = true, differentiable = false, dims_in_file = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::output_list, "dtypes"}};
    template <class Self = RestoreV2> static constexpr auto params = std::tuple(attr("dtypes", &Self::dtypes));
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    int output_count() const { return static_cast<int>(dtypes.size()); }
    DType output_type(int i) const { return dtypes[static_cast<std::size_t>(i)]; }
    Inferred infer_refs(std::span<const Ref> in) const {
        if (!compatible(in[1].dims, {output_count()})) return reject("[RestoreV2] ", in[1].dims, " names for ", output_count(), " outputs");
        return detail::check_names(name, in);
    }
    std::vector<Dims> output_dims(std::span<const Ref> in) const {
        std::vector<Dims> all(dtypes.size(), Dims::unranked());
        for (const auto& r : in) if (!r.data) return all;
        const BundleReader checkpoint(detail::strings_of(in[0])[0]);
        visit(checkpoint, in, [&](std::size_t i, const StoredTensor&, const TensorSlice& slice) { all[i] = dims_of(slice.extents()); });
        return all;
    }
    template <class T> void compute(const Call& c) const {
        const BundleReader checkpoint(detail::strings_of(*c.in[0])[0]);
        const std::array in{*c.in[0], *c.in[1], *c.in[2]};
        BundleReader::Cursor cursor;
        visit(checkpoint, in, [&](std::size_t i, const StoredTensor& t, const TensorSlice& slice) {
            const Ref& out = *c.out[i];
            if (dims_of(slice.extents()) != out.dims) throw RestoreError(sentence(checkpoint.prefix(), ": ", t.name, " was ", out.dims, " when the run was planned, now it is ", slice.extents()));
            const Tensor to(out.dtype, out.dims, out.data, nullptr);
            if (out.dtype == DType::string) to.assign(checkpoint.read(t, slice, cursor));
            else checkpoint.read_into(t, slice, {to.raw(), to.bytes()}, cursor);
        });
    }

private:
    template <class Visit> void visit(const BundleReader& checkpoint, std::span<const Ref> in, Visit f) const {
        const auto names = detail::strings_of(in[1]), slices = detail::strings_of(in[2]);
        std::string wrong;
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto* const t = checkpoint.find(names[i]);
            if (!t) {
                wrong += "\n  Key " + names[i] + " not found in checkpoint";
                continue;
            }
            if (t->dtype != dtypes[i]) wrong += sentence("\n  tensor_name = ", names[i], "; expected dtype ", dtypes[i], " does not equal original dtype ", t->dtype);
            const auto part = ShapeAndSlice::parse(slices[i]);
            if (part && part->shape != t->shape) wrong += sentence("\n  tensor_name = ", names[i], "; shape in shape_and_slice spec ", part->shape, " does not match the shape stored in checkpoint: ", t->shape);
            if (wrong.empty()) f(i, *t, (part ? part->slice : TensorSlice::whole(t->shape.size())).within(t->shape));
        }
        if (!wrong.empty()) throw RestoreError("[RestoreV2] " + checkpoint.prefix() + ":" + wrong);
    }
};

/// Makes one checkpoint of several.
///
/// Shapes    checkpoint_prefixes [n], destination_prefix []
struct MergeV2Checkpoints {
    bool delete_old_dirs = true, allow_missing_files = false;
    static constexpr const char* name = "MergeV2Checkpoints";
    static constexpr int arity = 2, outputs = 0;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr std::array<TypeAttr, 0> types{};
    template <class Self = MergeV2Checkpoints> static constexpr auto params = std::tuple(attr("delete_old_dirs", &Self::delete_old_dirs), attr("allow_missing_files", &Self::allow_missing_files));
    static Inferred infer(const Dims& prefixes, const Dims& destination) {
        if (!compatible(prefixes, {dyn}) || !compatible(destination, {})) return reject("[MergeV2Checkpoints] prefixes ", prefixes, ", destination ", destination);
        return Dims{};
    }
    template <class T> void compute(const Call& c) const {
        const auto inputs = detail::strings_of(*c.in[0]);
        merge_bundles({inputs.begin(), inputs.end()}, detail::strings_of(*c.in[1])[0], {.allow_missing_files = allow_missing_files, .delete_old_dirs = delete_old_dirs});
    }
};

/// "BASE-00003-of-00008".
struct ShardedFilename {
    static constexpr const char* name = "ShardedFilename";
    static constexpr int arity = 3;
    static constexpr bool differentiable = false;
    static constexpr std::array<TypeAttr, 0> types{};
    static constexpr DType input_type(std::size_t i, DType) { return i == 0 ? DType::string : DType::int32; }
    static Inferred infer(const Dims& base, const Dims& shard, const Dims& shards) {
        if (!compatible(base, {}) || !compatible(shard, {}) || !compatible(shards, {})) return reject("[ShardedFilename] ", base, ", ", shard, " and ", shards, " where scalars are wanted");
        return Dims{};
    }
    template <class T> void compute(const Call& c) const {
        const auto number = [&](std::size_t i) { return static_cast<std::uint32_t>(c.input<std::int32_t>(i).data[0]); };
        *static_cast<std::string*>(c.out[0]->data) = detail::strings_of(*c.in[0])[0] + shard_suffix(number(1), number(2));
    }
};

using SaveOps = OpList<OpRow<SaveV2, Types<std::string>>, OpRow<RestoreV2, Types<std::string>>, OpRow<MergeV2Checkpoints, Types<std::string>>, OpRow<ShardedFilename, Types<std::string>>>;

}  // namespace tenon
