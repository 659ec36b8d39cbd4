// Typed calls of every family: the shape and element type that the compiler knows, against what the shape rule says when the graph is
// made, and what a run gives. Wrong calls: the sentence of the compiler against that of the same call at run time.
#include "../support/fed.hpp"
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

struct Calls {
    std::vector<Feed> feeds;
    Session session;
    int count = 0;

    void add(const char* call, const Dims& typed, DType type, const Output& y) {
        CAPTURE(call);
        CHECK(typed == y.dims());
        const Tensor got = session.run_all({y}, feeds)[0];
        CHECK(compatible(typed, got.dims()));
        CHECK(got.dtype() == type);
        CHECK(y.dtype() == type);
        ++count;
    }
};
template <class Y> void typed(Calls& calls, const char* call, const Y& y) {
    static_assert(shape_of<Y>::dims.ranked());
    calls.add(call, shape_of<Y>::dims, dtype_of<value_type_of<Y>>, node(y));
}

}  // namespace

TEST_CASE("what the type of a call says is what its shape rule says, and what a run gives") {
    Fed<float, Shape<2, 3>> a(1);
    Fed<float, Shape<dyn, 3>> open(2, {4, 3});
    Fed<float, Shape<3>> row(3);
    Fed<float, Shape<3, 5>> w(4);
    Fed<float, Shape<>> one(5);
    Fed<float, Shape<2, 3, 3, 5>> batched(6);
    Fed<float, Shape<dyn, 5, 6, 4>> images(7, {2, 5, 6, 4});
    Fed<float, Shape<3, 3, 4, 8>> filter(8);
    Fed<float, Shape<4>> channels(9);
    Fed<float, Shape<1, 2, 1, 3>> thin(10);
    Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};
    Placeholder<std::int32_t, Shape<2, 2>> ids{"ids"};
    Calls c;
    c.feeds = {a, open, row, w, one, batched, images, filter, channels, thin};
    c.feeds.push_back({labels, Tensor::of<std::int32_t>({4}, {0, 2, 1, 1})});
    c.feeds.push_back({ids, Tensor::of<std::int32_t>({2, 2}, {0, 2, 1, 1})});

    typed(c, "a + row", a + row);
    typed(c, "open * row", open * row);
    typed(c, "row - open", row - open);
    typed(c, "open / 2", open / 2);
    typed(c, "tanh(a * row) + one", tanh(a * row) + one);
    typed(c, "squared_difference", squared_difference(open, row));
    typed(c, "maximum", maximum(open, 0));
    typed(c, "pow", pow(a * a, row));
    typed(c, "relu", relu(images));
    typed(c, "less", less(open, row));
    typed(c, "logical_not", logical_not(a > 0));
    typed(c, "select", select(open > row, open, row));
    typed(c, "clip_by_value", clip_by_value(open, -1, 1));
    typed(c, "add_n", add_n(a, a));
    typed(c, "cast", cast<std::int64_t>(open));
    typed(c, "is_finite", is_finite(a));
    typed(c, "ones_like", ones_like(images));
    typed(c, "identity", identity(open));
    typed(c, "stop_gradient", stop_gradient(open));

    typed(c, "matmul", matmul(open, w));
    typed(c, "matmul, transposed", matmul<MatMul{true, false}>(open, open));
    typed(c, "matmul of batches", matmul(batched, Node<float, Shape<5, 2>>(make_const<float>(Tensor(DType::float32, {5, 2})))));
    typed(c, "bias_add", bias_add(images, channels));
    typed(c, "softmax", softmax(open));
    typed(c, "log_softmax", log_softmax(images));
    typed(c, "sparse cross entropy", sparse_softmax_cross_entropy_with_logits(labels, open));
    typed(c, "cross entropy", softmax_cross_entropy_with_logits(softmax(open), open));
    typed(c, "l2_loss", l2_loss(images));

    typed(c, "sum", sum(open));
    typed(c, "sum<0>", sum<0>(open));
    typed(c, "mean<1, -1>", mean<1, -1>(images));
    typed(c, "max<-1>", max<-1>(open));
    typed(c, "prod<0, 1>", prod<0, 1>(a));
    typed(c, "reduce_any<0>", reduce_any<0>(a > 0));
    typed(c, "argmax<1>", argmax<1>(open));
    typed(c, "cumsum<1>", cumsum<1>(open));

    typed(c, "reshape<dyn, 2>", reshape<dyn, 2>(a));
    typed(c, "reshape<3, 2>", reshape<3, 2>(a));
    typed(c, "transpose", transpose(open));
    typed(c, "transpose<0, 3, 1, 2>", transpose<0, 3, 1, 2>(images));
    typed(c, "expand_dims<-1>", expand_dims<-1>(open));
    typed(c, "squeeze<0, 2>", squeeze<0, 2>(thin));
    typed(c, "squeeze", squeeze(thin));
    typed(c, "concat<0>", concat<0>(open, a));
    typed(c, "concat<1>", concat<1>(open, open));
    const auto [first, second] = split<2, 3>(images);
    typed(c, "split<2, 3>", first);
    typed(c, "split<2, 3>, second", second);
    typed(c, "stack<1>", stack<1>(a, a, a));
    typed(c, "unstack", std::get<0>(unstack(a)));
    typed(c, "slice", slice<Dims{0, 1}, Dims{-1, 2}>(open));
    typed(c, "strided_slice", strided_slice<Dims{0, 2}, Dims{2, 0}, Dims{1, -1}>(a));
    typed(c, "pad", pad<Ints{1, 0, 0, 2}>(open));
    typed(c, "tile", tile<2, 3>(open));
    typed(c, "reverse", reverse<0>(open));
    typed(c, "shape", shape(images));
    typed(c, "size", size(images));
    typed(c, "rank", rank(images));
    typed(c, "fill<2, 3>", fill<2, 3>(one));
    typed(c, "one_hot<5>", one_hot<5>(labels));
    typed(c, "gather", gather(a, Node<std::int32_t, Shape<1>>(make_const<std::int32_t>(Tensor::of<std::int32_t>({1}, {1})))));
    typed(c, "gather<1>", gather<1>(open, ids));
    typed(c, "gather_nd", gather_nd(Node<float, Shape<3, 3>>(node(matmul<MatMul{true, false}>(a, a))), ids));
    typed(c, "unsorted_segment_sum", unsorted_segment_sum<7>(open, labels));
    typed(c, "top_k", std::get<0>(top_k<2>(open)));
    typed(c, "in_top_k", in_top_k<1>(open, labels));

    typed(c, "conv2d", conv2d(images, filter));
    typed(c, "conv2d, VALID, strides 2", conv2d<Conv2D{{1, 2, 2, 1}, Padding::valid}>(images, filter));
    typed(c, "max_pool", max_pool<MaxPool{{1, 2, 2, 1}, {1, 2, 2, 1}, Padding::same}>(images));
    typed(c, "avg_pool", avg_pool<AvgPool{{1, 3, 3, 1}, {1, 1, 1, 1}, Padding::valid}>(images));
    typed(c, "fused_batch_norm", std::get<0>(fused_batch_norm(images, channels, channels)));
    typed(c, "fused_batch_norm, mean", std::get<1>(fused_batch_norm(images, channels, channels)));
    typed(c, "depth_to_space<2>", depth_to_space<2>(images));
    typed(c, "resize_bilinear", resize_bilinear<3, 9>(images));
    typed(c, "local_response_normalization", local_response_normalization(images));
    MESSAGE(c.count << " calls");
}
