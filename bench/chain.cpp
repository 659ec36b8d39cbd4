// A fused chain tanh(a b + c) d over vectors, and the gradient of its sum after all four: tenon's statement beside Eigen's, and beside blocks by hand.
#include "limits.hpp"

#include <tenon/tenon.hpp>

#include <malloc.h>

using namespace tenon;
using Eigen::ArrayXf;
using Eigen::Index;

namespace {

struct Vectors {
    ArrayXf a, b, c, d, y, da, db, dc, dd;
    explicit Vectors(Index n) : a(ArrayXf::Random(n)), b(ArrayXf::Random(n)), c(ArrayXf::Random(n)), d(ArrayXf::Random(n)), y(n), da(n), db(n), dc(n), dd(n) {}
    void forward() { y = (a * b + c).tanh() * d; }
    /// Blocks that stay in the L1 cache; tanh is computed once. Gives the sum.
    float gradient() {
        constexpr Index block = 512;
        float sum = 0;
        for (Index at = 0; at < a.size(); at += block) {
            const Index n = std::min(block, a.size() - at);
            auto t = dd.segment(at, n), g = dc.segment(at, n);
            t = (a.segment(at, n) * b.segment(at, n) + c.segment(at, n)).tanh();
            sum += (t * d.segment(at, n)).sum();
            g = d.segment(at, n) * (1.f - t.square());
            da.segment(at, n) = g * b.segment(at, n);
            db.segment(at, n) = g * a.segment(at, n);
        }
        return sum;
    }
};

std::span<const float> span(const ArrayXf& x) { return {x.data(), static_cast<std::size_t>(x.size())}; }
float distance(std::span<const float> x, const ArrayXf& y) {
    float worst = 0;
    for (Index i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(x[static_cast<std::size_t>(i)] - y[i]));
    return worst;
}

}  // namespace

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);
    Placeholder<float, Shape<dyn>> a{"a"}, b{"b"}, c{"c"}, d{"d"};
    const Output y = tanh(a * b + c) * d;
    auto total = sum(tanh(a * b + c) * d);
    const auto derivatives = gradients(total, a, b, c, d);
    for (const Index n : {8, 1000, 100000, 1000000}) {
        Vectors v(n), again(n);
        Session session;
        const std::vector<Feed> feeds{feed(a, span(v.a)), feed(b, span(v.b)), feed(c, span(v.c)), feed(d, span(v.d))};
        const Callable forward = session.make_callable({y}, feeds);
        const Callable gradient = session.make_callable({total, std::get<0>(derivatives), std::get<1>(derivatives), std::get<2>(derivatives), std::get<3>(derivatives)}, feeds);
        v.forward(), forward(), gradient();
        const float by_hand = v.gradient(), worst = std::max({distance(forward.result<float>(0), v.y), distance(gradient.result<float>(1), v.da), distance(gradient.result<float>(2), v.db), distance(gradient.result<float>(3), v.dc), distance(gradient.result<float>(4), v.dd)});
        std::printf("\n%ld elements; sum by hand %.6g, tenon %.6g; largest difference %.2g\n", long(n), double(by_hand), double(gradient.result<float>(0)[0]), double(worst));
        // Where five or eight arrays do not fit the nearer caches, one pass over them at the speed of a triad is the limit.
        bench::Arrays memory(static_cast<std::size_t>(n) * 4 / 4096 * 4096 + 4096);
        double bandwidth = 0;
        for (int i = 0; i < 20; ++i) {
            const double start = bench::now();
            memory.triad();
            bandwidth = std::max(bandwidth, 3 * memory.bytes() / (bench::now() - start));
        }
        const double limit = n >= 100000 ? bandwidth : 0, bytes = 4.0 * double(n);
        float sink = 0;
        char title[64];
        std::snprintf(title, sizeof title, "chain, %ld elements", long(n));
        bench::compare(title, {{"one Eigen expression", [&] { v.forward(), bench::clobber(); }, 5 * bytes, limit}, {"one Eigen expression, again", [&] { again.forward(), bench::clobber(); }, 5 * bytes, limit},
                               {"tenon", [&] { forward(), bench::clobber(); }, 5 * bytes, limit}}, "GB/s", 1e-9, 15, 5);
        std::snprintf(title, sizeof title, "chain and its gradient, %ld elements", long(n));
        bench::compare(title, {{"blocks by hand", [&] { sink += v.gradient(), bench::clobber(); }, 8 * bytes, limit}, {"blocks by hand, again", [&] { sink += again.gradient(), bench::clobber(); }, 8 * bytes, limit},
                               {"tenon", [&] { gradient(), bench::clobber(); }, 8 * bytes, limit}}, "GB/s", 1e-9, 15, 5);
        if (sink == 42.f) std::puts("");
    }
}
