// Extents: sizes, what is known, merging, broadcasting, and the sentences about them; all of it at compile time.
#include <tenon/base/dims.hpp>
#include <tenon/base/dtype.hpp>

#include <doctest/doctest.h>

using namespace tenon;

TEST_CASE("everything about extents is known to the compiler") {
    static_assert(Dims{2, 3}.size() == 6 && Dims{}.size() == 1 && Dims{2, 0, dyn}.size() == 0 && Dims{2, dyn}.size() == dyn && Dims::unranked().size() == dyn);
    static_assert(Dims{4, 5, 6}[-1] == 6 && Dims{4, 5, 6}[0] == 4);
    static_assert(Dims{1, 2}.known() && !Dims{1, dyn}.known() && !Dims::unranked().known() && Dims{}.known());
    static_assert(Shape<2, dyn, 3>::extent(-1) == 3 && Shape<7>::as_list()[0] == 7 && Shape<>::rank == 0);
    static_assert(Dims{1} != Dims{1, 1} && Dims{1, dyn} == Dims{1, dyn});
    CHECK(to_string(Shape<2, dyn>::dims) == "[2,dyn]");
}

TEST_CASE("broadcasting is NumPy's, with extents that are not known yet") {
    const auto fits = [](const Dims& a, const Dims& b, const Dims& y) {
        CHECK(broadcast("Op", a, b).dims[0] == y);
        CHECK(broadcast("Op", b, a).dims[0] == y);
    };
    fits({2, 3}, {3}, {2, 3}), fits({2, 1}, {1, 3}, {2, 3}), fits({}, {4, 5}, {4, 5}), fits({dyn, 3}, {1, 3}, {dyn, 3}), fits({dyn}, {5}, {5}), fits({0}, {1}, {0}), fits({dyn, 1}, {7}, {dyn, 7});
    CHECK(broadcast("Add", {2, 3}, {4}).why.view() == "[Add] shapes do not broadcast: [2,3] and [4]");
    CHECK(!broadcast("Op", {0}, {2}).ok());
    CHECK(!broadcast("Op", Dims{2}, Dims::unranked()).dims[0].ranked());
}

TEST_CASE("two statements about one shape are merged, or contradict") {
    bool fit = true;
    CHECK(merge(Dims{2, dyn}, Dims{dyn, 3}, fit) == Dims{2, 3});
    CHECK(merge(Dims::unranked(), Dims{4}, fit) == Dims{4});
    CHECK(fit);
    CHECK(!compatible({2, 3}, {2, 4}));
    CHECK(!compatible({2}, {2, 1}));
}

TEST_CASE("sentences hold any numbers, and what does not fit is cut") {
    CHECK((Reason{} << std::int64_t{-42} << " " << Dims{1, dyn, 0} << Dims::unranked()).view() == "-42 [1,dyn,0][...]");
    CHECK((Reason{} << INT64_MIN).view() == "-9223372036854775808");
    Reason r;
    for (int i = 0; i < 100; ++i) r << "abcdefgh";
    CHECK(r.length == sizeof r.text - 1);
}

TEST_CASE("more than eight axes are refused") {
    Dims d;
    for (int i = 0; i < max_rank; ++i) d.push(1);
    CHECK_THROWS_AS(d.push(1), ShapeError);
}

TEST_CASE("every dtype is in its own row, under TensorFlow's number") {
    for (std::size_t i = 0; i < dtype_rows.size(); ++i) CHECK(static_cast<std::size_t>(dtype_rows[i].dtype) == i);
    CHECK(name_of(DType::boolean) == "bool");
    CHECK(name_of(DType{101}) == "float32");  // a reference to floats
    CHECK(name_of(DType{77}) == "invalid");
    static_assert(dtype_of<std::int64_t> == DType::int64 && dtype_of<const float> == DType::float32 && dtype_of<void*> == DType::invalid);
    static_assert(file_bytes_of(DType::bfloat16) == 2 && file_bytes_of(DType::string) == 0 && bytes_of(DType::string) == sizeof(std::string));
}
