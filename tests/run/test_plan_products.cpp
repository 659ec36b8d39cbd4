// Products, of matrices or of images with filters, that a plan lets write elsewhere, against the same plan where every result is fetched and so has to be there.
// Long because every way to join two steps has its own claim, and all share the nets they are tried on.
#include <tenon/grad/check_gradient.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <set>

using namespace tenon;

namespace {

/// Every output of an op of these names that `from` is computed from.
std::vector<Output> all_before(const Output& from, const std::set<std::string_view>& names) {
    std::vector<Output> found;
    std::set<const Operation*> seen;
    const auto visit = [&](const auto& self, const Output& o) -> void {
        if (!seen.insert(o.operation.get()).second) return;
        if (names.contains(o.operation->table->name)) found.push_back({o.operation, 0});
        for (const Output& i : o.operation->inputs) self(self, i);
    };
    visit(visit, from);
    return found;
}
void same(const Tensor& a, const Tensor& b) {
    REQUIRE(a.dims() == b.dims());
    float worst = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.data<float>()[i] - b.data<float>()[i]) / (1 + std::abs(b.data<float>()[i])));
    CHECK(worst < 1e-5f);
}
Tensor numbers(const Dims& d, unsigned seed) { return tenon::detail::random_upstream<float>(d, seed); }

constexpr std::int64_t wide = 24, units = 20, batch = 6;
/// A recurrent net of so many steps, whose steps share their weights.
struct Recurrent {
    Variable<float, Shape<wide + units, units>> w{"w", random_normal({.stddev = 0.3f, .seed = 1})};
    Placeholder<float, Shape<dyn, wide>> x{"x"};
    Node<float> h;
    explicit Recurrent(int steps) {
        h = make<float>(Tanh{}, {matmul(x, constant_tensor<float, Shape<wide, units>>(numbers({wide, units}, 3)))});
        for (int t = 0; t < steps; ++t) {
            const Output both = make<float>(ConcatV2{}, {Output(x), Output(h), make_const<std::int32_t>(Tensor::scalar(std::int32_t{1}))});
            h = make<float>(Tanh{}, {Output(make<float>(MatMul{}, {both, Output(w)}))});
        }
    }
};

}  // namespace

TEST_CASE("gradients of a recurrent net are the same whether products are stored or joined to what reads them") {
    for (const int steps : {1, 2, 3, 7}) {
        Recurrent net(steps);
        const Output loss = make<float>(Mean{}, {Output(make<float>(Square{}, {Output(net.h)})), make_const<std::int32_t>(Tensor::of<std::int32_t>({2}, {0, 1}))});
        const Output dw = gradients(Node<float>(loss), std::vector<Output>{Output(net.w)})[0];
        std::vector<Output> everything = all_before(dw, {"MatMul", "Slice"});
        everything.insert(everything.begin(), dw);
        Session s;
        const Feed feed{net.x, numbers({batch, wide}, 2)};
        const auto alone = s.make_callable({dw}, {feed}), stored = s.make_callable(everything, {feed});
        alone(), stored();
        INFO(steps, " steps");
        same(alone.plan().fetch(0), stored.plan().fetch(0));
        alone();
        same(alone.plan().fetch(0), stored.plan().fetch(0));
        const int slices = steps - 1, sums = steps > 1;
        CHECK(alone.plan().kernels() + static_cast<std::size_t>(slices + sums) == stored.plan().kernels());
    }
}

TEST_CASE("of a product whose columns alone are read only these are computed; of rows, or for two readers, all") {
    const Tensor a = numbers({7, 9}, 1), b = numbers({9, 40}, 2), b_turned = numbers({40, 9}, 3);
    Placeholder<float, Shape<7, 9>> x{"x"};
    Placeholder<float, Shape<9, 40>> y{"y"};
    Placeholder<float, Shape<40, 9>> z{"z"};
    Session s;
    const std::vector<Feed> feeds{{x, a}, {y, b}, {z, b_turned}};
    for (const bool turned : {false, true}) {
        const auto product = [&] { return turned ? Output(make<float>(MatMul{false, true}, {Output(x), Output(z)})) : Output(make<float>(MatMul{}, {Output(x), Output(y)})); };
        const Tensor whole = s.run_all({product()}, feeds)[0];
        const auto cut = [](const Output& of, std::int32_t row, std::int32_t column, std::int32_t rows, std::int32_t columns) {
            return Output(make<float>(Slice{}, {of, make_const<std::int32_t>(Tensor::of<std::int32_t>({2}, {row, column})), make_const<std::int32_t>(Tensor::of<std::int32_t>({2}, {rows, columns}))}));
        };
        const auto check = [&](const Tensor& part, std::int32_t row, std::int32_t column) {
            for (std::int64_t i = 0; i < part.dims()[0]; ++i)
                for (std::int64_t j = 0; j < part.dims()[1]; ++j) CHECK(part.data<float>()[i * part.dims()[1] + j] == doctest::Approx(whole.data<float>()[(i + row) * 40 + j + column]).epsilon(1e-5));
        };
        const auto kernels = [&](const std::vector<Output>& fetches) { return s.make_callable(fetches, feeds).plan().kernels(); };
        const Output columns = cut(product(), 0, 5, 7, 30), rest = cut(product(), 0, 39, -1, -1), rows = cut(product(), 2, 0, 5, 40);
        CHECK(kernels({columns}) == 1);
        CHECK(kernels({rest}) == 1);
        CHECK(kernels({rows}) == 2);
        const auto parts = s.run_all({columns, rest, rows}, feeds);
        check(parts[0], 0, 5), check(parts[1], 0, 39), check(parts[2], 2, 0);
        const Output once = product();
        const std::vector<Output> two{cut(once, 0, 0, 7, 10), cut(once, 0, 10, 7, 30)};
        CHECK(kernels(two) == 3);
        const auto both = s.run_all(two, feeds);
        check(both[0], 0, 0), check(both[1], 0, 10);
    }
}

TEST_CASE("a product of which only Split reads the columns goes into the parts; of parts that are no whole tiles, of rows, or for two readers, into one") {
    const auto split = [](const Output& x, int axis, int parts) {
        Split op;
        op.num_split = parts;
        return make<float>(op, {make_const<std::int32_t>(Tensor::scalar(std::int32_t{axis})), x});
    };
    for (const auto& [m, k, width, parts] : {std::array{64, 156, 128, 4}, {37, 300, 32, 3}, {2, 9, 64, 2}, {90, 20, 96, 16}})
        for (const bool turned : {false, true})
            for (const bool bias : {false, true})
                for (int threads = 1; threads <= 2; ++threads) {
                    const int n = width * parts;
                    Placeholder<float, Shape<dyn, dyn>> x{"x"};
                    const Output b = make_const<float>(numbers(turned ? Dims{n, k} : Dims{k, n}, 2));
                    Output y = make<float>(MatMul{false, turned}, {Output(x), b});
                    if (bias) y = make<float>(BiasAdd{}, {y, make_const<float>(numbers({n}, 3))});
                    const Output first = split(y, threads == 1 ? 1 : -1, parts);
                    std::vector<Output> some, all{y};
                    for (int i = 0; i < parts; ++i) {
                        some.push_back(make<float>(Tanh{}, {Output{first.operation, i}}));
                        all.push_back(some.back());
                    }
                    Session s{Graph(all), {.threads = threads, .least_share = 0}};
                    const Feed feed{x, numbers({m, k}, 1)};
                    const auto alone = s.make_callable(some, {feed}), stored = s.make_callable(all, {feed});
                    alone(), stored();
                    INFO("[", m, ",", k, "] x [", k, ",", n, "], threads ", threads);
                    CHECK(alone.plan().kernels() + 1 == stored.plan().kernels());
                    for (std::size_t i = 0; i < some.size(); ++i) {
                        const Tensor one = alone.plan().fetch(i), other = stored.plan().fetch(i + 1);
                        CHECK(std::memcmp(one.raw(), other.raw(), static_cast<std::size_t>(one.size()) * sizeof(float)) == 0);
                    }
                }

    Session s;
    const auto kernels = [&](int m, int n, int axis, int parts, bool beside = false) {
        Placeholder<float, Shape<dyn, dyn>> x{"x"};
        Output y = make<float>(MatMul{}, {Output(x), make_const<float>(numbers({5, n}, 2))});
        if (beside) y = make<float>(AddV2{}, {y, make_const<float>(numbers({m, n}, 3))});
        const Output first = split(y, axis, parts);
        const Feed feed{x, numbers({m, 5}, 1)};
        const auto run = s.make_callable({first, {first.operation, 1}}, {feed});
        run();
        const Tensor got = run.plan().fetch(1), whole = s.run_all({y}, {feed})[0];
        const std::int64_t rows = axis == 0 ? m / parts : m, columns = axis == 0 ? n : n / parts;
        for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t j = 0; j < columns; ++j) CHECK(got.data<float>()[i * columns + j] == doctest::Approx(whole.data<float>()[axis == 0 ? (rows + i) * n + j : i * n + columns + j]).epsilon(1e-5));
        return run.plan().kernels();
    };
    CHECK(kernels(6, 128, 1, 2) == 1);
    CHECK(kernels(6, 128, 1, 4) == 1);
    CHECK(kernels(6, 128, 0, 2) == 2);
    CHECK(kernels(6, 128, 1, 8) == 2);
    CHECK(kernels(1, 128, 1, 2) == 2);
    CHECK(kernels(6, 128, 1, 2, true) == 2);
    CHECK(kernels(6, 640, 1, 20) == 2);
}

TEST_CASE("products that are added, and nothing else, are added where the sum lies") {
    Placeholder<float, Shape<18, 17>> x{"x"};
    Placeholder<float, Shape<17, 33>> y{"y"};
    const auto product = [&](float scale) { return Output(make<float>(MatMul{}, {Output(x), Output(y * Node<float>(make_const<float>(Tensor::scalar(scale))))})); };
    const auto sum = [](const std::vector<Output>& of) { return Output(make<float>(AddN{}, of)); };
    const Output one = product(1), two = product(2), three = product(3), other = make_const<float>(numbers({18, 33}, 3));
    Session s;
    const std::vector<Feed> feeds{{x, numbers({18, 17}, 1)}, {y, numbers({17, 33}, 2)}};
    const auto values = s.run_all({one, two, three}, feeds);
    const auto added = [&](const std::vector<Tensor>& of) {
        Tensor total = of[0].clone();
        for (std::size_t k = 1; k < of.size(); ++k) for (std::int64_t i = 0; i < total.size(); ++i) total.data<float>()[i] += of[k].data<float>()[i];
        return total;
    };
    const auto run = [&](const Output& o, std::size_t kernels) {
        const auto step = s.make_callable({o}, feeds);
        CHECK(step.plan().kernels() == kernels);
        step(), step();
        return step.plan().fetch(0);
    };
    same(run(sum({three, one, two}), 6), added(values));                                      // of each the multiple and the product
    same(run(sum({one, two, other}), 5), added({values[0], values[1], numbers({18, 33}, 3)}));  // the sum is a kernel
    same(run(sum({two, two}), 3), added({values[1], values[1]}));
    same(run(sum({sum({one, two}), three}), 7), added(values));
}

TEST_CASE("what many products transpose is transposed once, unless it changes between them") {
    Placeholder<float, Shape<5, 30>> x{"x"}, others[3];
    Variable<float, Shape<40, 30>> w{"w", random_normal({.seed = 1})};
    Session s;
    const Feed feed{x, numbers({5, 30}, 1)};
    std::vector<Feed> feeds{feed};
    for (const auto& other : others) feeds.push_back({other, feed.value});
    std::vector<Output> products;
    for (const Feed& f : feeds) products.push_back(make<float>(MatMul{false, true}, {Output(make<float>(Tanh{}, {f.of})), Output(w)}));
    const auto step = s.make_callable(products, feeds);
    CHECK(step.plan().kernels() == 9);
    const auto few = s.make_callable({products[0], products[1]}, feeds);
    CHECK(few.plan().kernels() == 4);
    for (int again = 0; again < 2; ++again) {
        step(), few();
        for (std::size_t i = 0; i < 4; ++i) same(step.plan().fetch(i), few.plan().fetch(0));
        w.assign(numbers({40, 30}, 5));
    }
    std::vector<Output> chain{products[0]};
    const auto rate = make_const<float>(Tensor::scalar(1.0f));
    for (int i = 0; i < 3; ++i) {  // each after an update of w that follows the one before it
        const Output update = make<float>(ApplyGradientDescent{}, {variable_of(w), rate, make_const<float>(numbers({40, 30}, 9))});
        update.operation->controls.push_back(chain.back().operation);
        const Output read = make<float>(Identity{}, {variable_of(w)});
        read.operation->controls.push_back(update.operation);
        const Output product = make<float>(MatMul{false, true}, {Output(x), read});
        chain.push_back(product);
    }
    const Tensor start = w.value().clone();
    const auto together = s.run_all(chain, {feed});
    w.assign(start);
    Tensor now = start.clone();
    for (std::size_t i = 1; i < chain.size(); ++i) {
        for (std::int64_t k = 0; k < now.size(); ++k) now.data<float>()[k] -= numbers({40, 30}, 9).data<float>()[k];
        w.assign(now);
        same(together[i], s.run_all({make<float>(MatMul{false, true}, {Output(x), Output(w)})}, {feed})[0]);
    }
}

namespace {
/// One result of every kind of product: [10,24] or [3,7,9,24].
enum Kind { of_matrices, of_images, to_images };
struct Product {
    Placeholder<float, Shape<10, 13>> a{"a"};
    Placeholder<float, Shape<3, 7, 9, 5>> x{"x"};
    Output output;
    std::vector<Feed> feeds;
    explicit Product(int kind) {
        Conv2D conv;
        conv.padding = Padding::same;
        if (kind == to_images) {
            Conv2DBackpropInput back;
            back.padding = Padding::same;
            output = make<float>(back, {make_const<std::int32_t>(Tensor::of<std::int32_t>({4}, {3, 7, 9, 24})), make_const<float>(numbers({3, 3, 24, 5}, 2)), Output(x)}), feeds = {{x, numbers({3, 7, 9, 5}, 1)}};
        } else if (kind == of_images) output = make<float>(conv, {Output(x), make_const<float>(numbers({3, 3, 5, 24}, 2))}), feeds = {{x, numbers({3, 7, 9, 5}, 1)}};
        else output = make<float>(MatMul{}, {Output(a), make_const<float>(numbers({13, 24}, 2))}), feeds = {{a, numbers({10, 13}, 1)}};
    }
};
Output normalised(const Output& x, const Output& variance) {
    FusedBatchNormV3 op;
    op.is_training = false, op.epsilon = 1e-3f;
    return make<float>(op, {x, make_const<float>(numbers({24}, 3)), make_const<float>(numbers({24}, 4)), make_const<float>(numbers({24}, 5)), variance});
}
}  // namespace

TEST_CASE("a part of Split that is fed is what is fed; what is split may be a product by what is transposed once, or normalised") {
    const auto parts_of = [](const Output& x, int axis) {
        Split op;
        op.num_split = 2;
        const Output first = make<float>(op, {make_const<std::int32_t>(Tensor::scalar(std::int32_t{axis})), x});
        return std::array{first, Output{first.operation, 1}};
    };
    const auto read = [](const Output& x) { return Output(make<float>(Tanh{}, {x})); };
    const auto equal = [](const Tensor& a, const Tensor& b) { return a.dims() == b.dims() && std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0; };
    Placeholder<float, Shape<10, 30>> x[3];
    Variable<float, Shape<128, 30>> w{"w", random_normal({.seed = 1})};
    Session s;
    std::vector<Feed> feeds;
    std::vector<Output> some, all;
    for (int i = 0; i < 3; ++i) {
        feeds.push_back({x[i], numbers({10, 30}, static_cast<unsigned>(i + 1))});
        all.push_back(make<float>(MatMul{false, true}, {Output(x[i]), Output(w)}));
        for (const Output& part : parts_of(all.back(), 1)) some.push_back(read(part));
    }
    const auto one_by_one = [&](std::size_t i) { return s.run_all({some[2 * i], some[2 * i + 1], all[i]}, feeds); };
    const auto together = s.make_callable(some, feeds);
    CHECK(together.plan().kernels() == 1 + 3 + 6);
    together();
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t part = 0; part < 2; ++part) same(together.plan().fetch(2 * i + part), one_by_one(i)[part]);

    const auto halves = parts_of(all[0], 1);
    const Tensor fed = numbers({10, 64}, 7);
    for (const std::size_t part : {0u, 1u}) {
        const std::vector<Feed> with_part{feeds[0], {halves[part], fed}};
        const auto got = s.run_all({read(halves[1 - part]), read(halves[part])}, with_part);
        CHECK(equal(got[0], s.run_all({some[1 - part], all[0]}, feeds)[0]));
        CHECK(equal(got[1], s.run_all({read(Output(make_const<float>(fed)))}, {})[0]));
    }

    const Product images(of_images);
    const Output norm = normalised(images.output, make_const<float>(Tensor::of<float>({24}, std::vector<float>(24, 0.5f))));
    const auto of_norm = parts_of(norm, 3);
    const auto alone = s.run_all({read(of_norm[0]), read(of_norm[1])}, images.feeds), stored = s.run_all({read(of_norm[0]), read(of_norm[1]), norm}, images.feeds);
    for (std::size_t part = 0; part < 2; ++part) CHECK(equal(alone[part], stored[part]));
}

TEST_CASE("biases, additions, normalisation and Relu after a product are done as it is written") {
    const auto constant_of = [](const Dims& d, unsigned seed) { return make_const<float>(numbers(d, seed)); };
    Tensor positive = numbers({24}, 9).clone();
    for (std::int64_t i = 0; i < 24; ++i) positive.data<float>()[i] = std::abs(positive.data<float>()[i]) + 0.1f;
    struct Op {
        const char* name;
        std::function<Output(const Output&)> make_one;
        bool of_images_only = false;
    };
    const std::vector<Op> ops{
        {"bias", [&](const Output& x) { return Output(make<float>(BiasAdd{}, {x, constant_of({24}, 6)})); }},
        {"add to vector", [&](const Output& x) { return Output(make<float>(Add{}, {constant_of({1, 24}, 7), x})); }},
        {"add", [&](const Output& x) { return Output(make<float>(AddV2{}, {x, constant_of(x.dims(), 8)})); }},
        {"add as second", [&](const Output& x) { return Output(make<float>(AddV2{}, {Output(make<float>(Square{}, {constant_of(x.dims(), 8)})), x})); }},
        {"relu", [](const Output& x) { return Output(make<float>(Relu{}, {x})); }},
        {"norm", [&](const Output& x) { return normalised(x, make_const<float>(positive)); }, true},
        {"tanh", [](const Output& x) { return Output(make<float>(Tanh{}, {x})); }},
    };
    for (const int images : {of_matrices, of_images, to_images})
        for (int threads = 1; threads <= 2; ++threads)
            for (std::size_t i = 0; i < ops.size() * ops.size() * ops.size(); ++i) {
                // every chain of three
                std::string name;
                const Product product(images);
                std::vector<Output> all{product.output};
                bool skip = false;
                for (std::size_t at = i, k = 0; k < 3; ++k, at /= ops.size()) {
                    const Op& op = ops[at % ops.size()];
                    skip |= op.of_images_only && !images;
                    if (!skip) all.push_back(op.make_one(all.back()));
                    name += std::string(op.name) + ", ";
                }
                if (skip) continue;
                Session s{Graph(all), {.threads = threads, .least_share = 0}};
                const auto alone = s.make_callable({all.back()}, product.feeds), stored = s.make_callable(all, product.feeds);
                alone(), stored();
                INFO(name, "images ", images, ", threads ", threads);
                same(alone.plan().fetch(0), stored.plan().fetch(3));
                CHECK(alone.plan().kernels() <= stored.plan().kernels());
            }
}

TEST_CASE("a chain of bias, addition and Relu is one kernel, and so is a residual block's batch normalisation, but for its factors") {
    for (const bool images : {false, true}) {
        Session s;
        const Product made(images);
        const auto kernels = [&](const Output& o) { return s.make_callable({o}, made.feeds).plan().kernels(); };
        const Output product = made.output, bias = make_const<float>(numbers({24}, 6)), beside = make_const<float>(numbers(product.dims(), 7));
        const Output with_bias = make<float>(BiasAdd{}, {product, bias}), sum = make<float>(AddV2{}, {beside, with_bias}), y = make<float>(Relu{}, {sum});
        CHECK(kernels(y) == 1);
        CHECK(s.make_callable({y, with_bias}, made.feeds).plan().kernels() == 3);
        CHECK(kernels(make<float>(AddV2{}, {with_bias, with_bias})) == 2);
        if (!images) continue;
        const Output norm = normalised(product, make_const<float>(Tensor::of<float>({24}, std::vector<float>(24, 0.5f))));
        CHECK(kernels(make<float>(Relu{}, {Output(make<float>(AddV2{}, {norm, beside}))})) == 2);
        CHECK(s.make_callable({norm, {norm.operation, 1}}, made.feeds).plan().kernels() == 2);  // its statistics are read
    }
}

TEST_CASE("a typed statement after a product is done as it is written, where it is such a chain") {
    Placeholder<float, Shape<dyn, 13>> x{"x"};
    Variable<float, Shape<13, 24>> w{"w", random_normal({.seed = 1})};
    Variable<float, Shape<24>> b{"b", random_normal({.seed = 2})};
    Session s;
    const Feed feed{x, numbers({5, 13}, 1)};
    const auto kernels = [&](const Output& o) { return s.make_callable({o}, {feed}).plan().kernels(); };
    const auto y = relu(matmul(x, w) + b);
    CHECK(kernels(y) == 1);
    CHECK(kernels(tanh(matmul(x, w) + b)) == 2);
    CHECK(kernels(relu(matmul(x, w) * b)) == 2);
    const Tensor got = s.run_all({Output(y)}, {feed})[0], product = s.run_all({Output(matmul(x, w))}, {feed})[0];
    for (std::int64_t i = 0; i < got.size(); ++i) CHECK(got.data<float>()[i] == doctest::Approx(std::max(product.data<float>()[i] + b.value().data<float>()[i % 24], 0.0f)).epsilon(1e-5));
    const auto loss = mean(square(y));
    const auto [dw, db] = gradients(loss, w, b);
    const Tensor joined = s.run_all({Output(dw), Output(db)}, {feed})[0];
    std::vector<Output> stored = all_before(Output(dw), {"MatMul", "Add", "Relu"});
    stored.insert(stored.begin(), Output(dw));
    same(joined, s.run_all(stored, {feed})[0]);
}

TEST_CASE("a product does not wait past an update of what it reads") {
    for (const bool of_resource : {false, true}) {
        const Tensor start = numbers({13, 24}, 3), more = numbers({13, 24}, 4), data = numbers({5, 13}, 1);
        Placeholder<float, Shape<5, 13>> x{"x"};
        Output update, read;
        Variable<float, Shape<13, 24>> w{"w"};
        w.assign(start);
        if (of_resource) {
            const Output handle = variable_of(w);
            update = make<float>(AssignAddVariableOp{}, {handle, make_const<float>(more)}), read = make<float>(ReadVariableOp{}, {handle});
        } else {
            update = make<float>(AssignAdd{}, {variable_of(w), make_const<float>(more)}), read = make<float>(Identity{}, {variable_of(w)});
        }
        const Output y = make<float>(Relu{}, {Output(make<float>(MatMul{}, {Output(x), read}))});
        const auto expected = [&] {
            Tensor r(DType::float32, {5, 24});
            for (int i = 0; i < 5 * 24; ++i) {
                double sum = 0;
                for (int k = 0; k < 13; ++k) sum += double(data.data<float>()[i / 24 * 13 + k]) * double(start.data<float>()[k * 24 + i % 24]);
                r.data<float>()[i] = static_cast<float>(std::max(sum, 0.0));
            }
            return r;
        }();
        Session s;
        same(s.run_all({update, y}, {Feed{x, data}})[1], expected);
    }
}
