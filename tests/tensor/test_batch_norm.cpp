#include "../support/draw.hpp"
#include "../support/op_case.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/batch_norm.hpp>
#include <tenon/tensor/view.hpp>

using namespace tenon;
using test::Draw;

namespace {

/// What FusedBatchNorm gives and its gradients, for x with channels last or first.
template <class T> struct Results {
    Tensor y, batch_mean, batch_variance, saved_mean, saved_variance, dx, dscale, doffset;

    Results(const test::Json& c, const std::vector<Tensor>& in, const Tensor& g) {
        const auto& attr = c.at("node").at("attr");
        const bool training = attr.at("is_training").at("b").get<bool>(), nchw = test::text_attr(c.at("node"), "data_format") == "NCHW";
        const auto number = [&](const char* name) { return static_cast<float>(attr.at(name).at("f").get<double>()); };
        const auto& d = in[0].dims();
        const auto s = nchw ? batch_norm::Shape::nchw(d[0], d[1], d[2], d[3]) : batch_norm::Shape::nhwc(d[0], d[1], d[2], d[3]);
        const float epsilon = number("epsilon"), factor = number("exponential_avg_factor");
        y = dx = Tensor(in[0].dtype(), d);
        dx = y.clone();
        for (auto* t : {&batch_mean, &batch_variance, &saved_mean, &saved_variance, &dscale, &doffset}) *t = Tensor(DType::float32, {s.channels});
        Buffer workspace(batch_norm::workspace_bytes<float>(s));
        const auto* x = in[0].data<T>();
        const auto *scale = in[1].data<float>(), *offset = in[2].data<float>(), *mean = in[3].data<float>(), *variance = in[4].data<float>();
        if (training) {
            batch_norm::training(s, x, scale, offset, epsilon, y.data<T>(), saved_mean.data<float>(), saved_variance.data<float>(), workspace.data());
            batch_norm::averages(s, factor, mean, variance, saved_mean.data<float>(), saved_variance.data<float>(), batch_mean.data<float>(), batch_variance.data<float>());
            mean = saved_mean.data<float>(), variance = saved_variance.data<float>();
        } else {
            batch_norm::inference(s, x, scale, offset, mean, variance, epsilon, y.data<T>(), workspace.data());
        }
        if (!g) return;
        const auto grad = training ? batch_norm::training_grad<T, float> : batch_norm::inference_grad<T, float>;
        grad(s, g.data<T>(), x, scale, mean, variance, epsilon, dx.data<T>(), dscale.data<float>(), doffset.data<float>(), workspace.data());
    }
};

template <class T> void compare_with_tensorflow(const test::Json& c) {
    std::vector<Tensor> in;
    for (const auto& i : c.at("inputs")) in.push_back(test::tensor_from(i));
    const bool differentiated = c.contains("grads"), training = c.at("node").at("attr").at("is_training").at("b").get<bool>();
    const Results<T> r(c, in, differentiated ? test::tensor_from(c.at("upstream")[0]) : Tensor());
    const auto& want = c.at("outputs");
    CHECK(test::difference_in(c, r.y, want[0]) == "");
    if (training) {
        const Tensor* got[] = {nullptr, &r.batch_mean, &r.batch_variance, &r.saved_mean, &r.saved_variance};
        for (std::size_t i = 1; i < 5; ++i) if (!want[i].is_null()) CHECK(test::difference_in(c, *got[i], want[i]) == "");
    }
    if (!differentiated) return;
    CHECK(test::difference_in(c, r.dx, c.at("grads")[0]) == "");
    CHECK(test::difference_in(c, r.dscale, c.at("grads")[1]) == "");
    CHECK(test::difference_in(c, r.doffset, c.at("grads")[2]) == "");
}

/// sum(g y) of a training step.
double objective(const batch_norm::Shape& s, const std::vector<double>& x, const std::vector<double>& scale, const std::vector<double>& offset, const std::vector<double>& g) {
    std::vector<double> y(x.size()), mean(scale.size()), variance(scale.size());
    Buffer workspace(batch_norm::workspace_bytes<double>(s));
    batch_norm::training(s, x.data(), scale.data(), offset.data(), 0.01, y.data(), mean.data(), variance.data(), workspace.data());
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += g[i] * y[i];
    return sum;
}

/// Everything that batch_norm tells of a batch, by plain loops.
struct Plain {
    std::vector<double> y, mean, variance, dx, dscale, doffset;

    /// `given`: mean and variance, or nothing, which is training.
    Plain(const batch_norm::Shape& s, const std::vector<double>& x, const std::vector<double>& g, const std::vector<double>& scale, const std::vector<double>& offset, double epsilon, const std::vector<double>* given)
        : y(x.size()), mean(scale.size()), variance(scale.size()), dx(x.size()), dscale(scale.size()), doffset(scale.size()) {
        const auto n = static_cast<double>(s.outer * s.inner);
        for (std::size_t c = 0; c < scale.size(); ++c) {
            const auto each = [&](auto f) {
                for (std::int64_t o = 0; o < s.outer; ++o)
                    for (std::int64_t i = 0; i < s.inner; ++i) f(static_cast<std::size_t>((o * s.channels + static_cast<std::int64_t>(c)) * s.inner + i));
            };
            if (given) {
                mean[c] = given[0][c], variance[c] = given[1][c];
            } else {
                each([&](std::size_t i) { mean[c] += x[i]; });
                mean[c] /= n;
                each([&](std::size_t i) { variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
                variance[c] /= n;
            }
            const double r = 1 / std::sqrt(variance[c] + epsilon);
            double sum_g = 0, sum_gz = 0;
            each([&](std::size_t i) {
                const double z = (x[i] - mean[c]) * r;
                y[i] = z * scale[c] + offset[c];
                sum_g += g[i], sum_gz += g[i] * z;
            });
            doffset[c] = sum_g, dscale[c] = sum_gz;
            each([&](std::size_t i) { dx[i] = scale[c] * r * (given ? g[i] : g[i] - sum_g / n - (x[i] - mean[c]) * r * sum_gz / n); });
        }
    }
};

}  // namespace

TEST_CASE_TEMPLATE("batch normalisation and its gradients are plain loops over random shapes, channels first or last, in training and inference", T, float, double) {
    Draw draw(15);
    for (int k = 0; k < 300; ++k) {
        const std::int64_t n = draw.below(k % 7 ? 6 : 3), c = draw.between(1, k % 3 ? 9 : 40), h = draw.below(k % 5 ? 6 : 40), w = draw.between(1, 9);
        const auto s = draw.coin() ? batch_norm::Shape::nhwc(n, h, w, c) : batch_norm::Shape::nchw(n, c, h, w);
        const bool training = draw.coin();
        const auto size = n * c * h * w;
        const auto x = draw.numbers<T>(size), g = draw.numbers<T>(size), scale = draw.numbers<T>(c), offset = draw.numbers<T>(c), given_mean = draw.numbers<T>(c);
        auto given_variance = draw.numbers<T>(c);
        for (auto& v : given_variance) v += T(0.75);
        const T epsilon = T(0.03125);
        std::vector<T> y(x.size()), dx(x.size()), mean(given_mean), variance(given_variance), dscale(scale.size(), T(9)), doffset(scale.size(), T(9));
        Buffer workspace(batch_norm::workspace_bytes<T>(s));
        if (training) {
            batch_norm::training(s, x.data(), scale.data(), offset.data(), epsilon, y.data(), mean.data(), variance.data(), workspace.data());
            batch_norm::training_grad(s, g.data(), x.data(), scale.data(), mean.data(), variance.data(), epsilon, dx.data(), dscale.data(), doffset.data(), workspace.data());
        } else {
            batch_norm::inference(s, x.data(), scale.data(), offset.data(), mean.data(), variance.data(), epsilon, y.data(), workspace.data());
            batch_norm::inference_grad(s, g.data(), x.data(), scale.data(), mean.data(), variance.data(), epsilon, dx.data(), dscale.data(), doffset.data(), workspace.data());
        }
        const auto wide = [](const std::vector<T>& v) { return std::vector<double>(v.begin(), v.end()); };
        const std::vector<double> given[]{wide(given_mean), wide(given_variance)};
        const Plain want(s, wide(x), wide(g), wide(scale), wide(offset), static_cast<double>(epsilon), training ? nullptr : given);
        INFO((training ? "training" : "inference"), " [", s.outer, ",", s.channels, ",", s.inner, "]");
        const double near = static_cast<double>(std::numeric_limits<T>::epsilon()) * 100;
        REQUIRE(test::distance(y, want.y) <= near);
        REQUIRE(test::distance(dx, want.dx) <= near);
        REQUIRE(test::distance(dscale, want.dscale) <= near * (1 + std::sqrt(double(s.count()))));
        REQUIRE(test::distance(doffset, want.doffset) <= near * (1 + std::sqrt(double(s.count()))));
        if (s.count() == 0 && training) {
            REQUIRE(std::isnan(mean[0]));
            REQUIRE(std::isnan(variance[0]));
        } else {
            REQUIRE(test::distance(mean, want.mean) <= near);
            REQUIRE(test::distance(variance, want.variance) <= near);
        }
    }
}

TEST_CASE("FusedBatchNorm and its gradients give TensorFlow's numbers, in training and inference") {
    int seen = 0;
    for (const auto* op : {"golden/ops/FusedBatchNorm", "golden/ops/FusedBatchNormV2", "golden/ops/FusedBatchNormV3", "kernels/FusedBatchNormV3"})
        for (const auto& c : test::cases_in(std::string(TENON_TEST_DATA) + "/" + op + ".json")) {
            INFO(op, " ", c.at("name").get<std::string>());
            if (test::tensor_from(c.at("inputs")[0]).dtype() == DType::half) compare_with_tensorflow<half>(c);
            else compare_with_tensorflow<float>(c);
            ++seen;
        }
    CHECK(seen > 15);
}

TEST_CASE("channels first and channels last are one computation") {
    Draw draw(13);
    for (int k = 0; k < 100; ++k) {
        const std::int64_t n = draw.below(4), c = draw.between(1, 40), hw = draw.below(k % 5 ? 30 : 3000);
        const auto last = batch_norm::Shape::nhwc(n, hw, 1, c), first = batch_norm::Shape::nchw(n, c, hw, 1);
        const auto x = draw.numbers<double>(n * c * hw), g = draw.numbers<double>(n * c * hw), scale = draw.numbers<double>(c), offset = draw.numbers<double>(c);
        const auto moved = [&](const std::vector<double>& v) {
            auto m = v;
            for (std::int64_t b = 0; b < n; ++b)
                for (std::int64_t i = 0; i < hw; ++i)
                    for (std::int64_t j = 0; j < c; ++j) m[static_cast<std::size_t>((b * c + j) * hw + i)] = v[static_cast<std::size_t>((b * hw + i) * c + j)];
            return m;
        };
        const auto run = [&](const batch_norm::Shape& s, const std::vector<double>& in, const std::vector<double>& up) {
            std::vector<double> y(in.size()), dx(in.size()), mean(scale.size()), variance(scale.size()), dscale(scale.size()), doffset(scale.size());
            Buffer workspace(batch_norm::workspace_bytes<double>(s));
            batch_norm::training(s, in.data(), scale.data(), offset.data(), 1e-3, y.data(), mean.data(), variance.data(), workspace.data());
            batch_norm::training_grad(s, up.data(), in.data(), scale.data(), mean.data(), variance.data(), 1e-3, dx.data(), dscale.data(), doffset.data(), workspace.data());
            return std::vector{y, dx, mean, variance, dscale, doffset};
        };
        auto a = run(last, x, g);
        const auto b = run(first, moved(x), moved(g));
        a[0] = moved(a[0]), a[1] = moved(a[1]);
        for (std::size_t i = 0; i < a.size(); ++i)
            for (std::size_t j = 0; j < a[i].size(); ++j) REQUIRE((std::abs(a[i][j] - b[i][j]) <= 1e-11 * (1 + std::abs(b[i][j])) || (std::isnan(a[i][j]) && n * hw == 0)));
    }
}

TEST_CASE("the gradient of a training step is that of central differences") {
    Draw draw(14);
    const batch_norm::Shape s{7, 3, 2};
    auto x = draw.numbers<double>(42), scale = draw.numbers<double>(3), offset = draw.numbers<double>(3);
    const auto g = draw.numbers<double>(42);
    std::vector<double> y(42), dx(42), mean(3), variance(3), dscale(3), doffset(3);
    Buffer workspace(batch_norm::workspace_bytes<double>(s));
    batch_norm::training(s, x.data(), scale.data(), offset.data(), 0.01, y.data(), mean.data(), variance.data(), workspace.data());
    batch_norm::training_grad(s, g.data(), x.data(), scale.data(), mean.data(), variance.data(), 0.01, dx.data(), dscale.data(), doffset.data(), workspace.data());
    const auto check = [&](std::vector<double>& v, const std::vector<double>& d) {
        for (std::size_t i = 0; i < v.size(); ++i) {
            const double at = v[i], h = 1e-5;
            v[i] = at + h;
            const double above = objective(s, x, scale, offset, g);
            v[i] = at - h;
            const double below = objective(s, x, scale, offset, g);
            v[i] = at;
            CHECK(d[i] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-6));
        }
    };
    check(x, dx), check(scale, dscale), check(offset, doffset);
}

TEST_CASE("a million elements per channel lose no more digits than a few") {
    const batch_norm::Shape last{1 << 20, 1, 1}, first{1, 1, 1 << 20};
    const std::vector<float> x(1 << 20, 0.1f);
    std::vector<float> y(x.size());
    const float scale = 1, offset = 0;
    for (const auto& s : {last, first}) {
        float mean, variance;
        Buffer workspace(batch_norm::workspace_bytes<float>(s));
        batch_norm::training(s, x.data(), &scale, &offset, 1e-3f, y.data(), &mean, &variance, workspace.data());
        CHECK(std::abs(mean - 0.1f) < 1e-4f * 0.1f);
        CHECK(variance < 1e-9f);
    }
}
