// Loss and gradient of logistic regression, sum of log(1 + exp(-y x w)), in double: tenon's session beside Eigen by hand, X by rows and by columns.
#include "harness.hpp"

#include <tenon/grad/value_and_gradient.hpp>
#include <tenon/tenon.hpp>

#include <malloc.h>

using namespace tenon;
using Eigen::Index;

namespace {

template <class M> struct ByHand {
    M x;
    Eigen::VectorXd y, w, z, e, g;
    ByHand(const Eigen::MatrixXd& from, const Eigen::VectorXd& labels, const Eigen::VectorXd& weights) : x(from), y(labels), w(weights), z(y.size()), e(y.size()), g(w.size()) {}
    double step() {
        z.noalias() = x * w;
        e.array() = (-y.array() * z.array()).exp();
        const double loss = (e.array() + 1).log().sum();
        e.array() *= -y.array() / (e.array() + 1);
        g.noalias() = x.transpose() * e;
        return loss;
    }
};
using Rows = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;

template <std::int64_t n, std::int64_t d> void compare() {
    const Eigen::MatrixXd drawn = Eigen::MatrixXd::Random(n, d);
    const Eigen::VectorXd w = Eigen::VectorXd::Random(d);
    Eigen::VectorXd labels(n);
    for (Index i = 0; i < n; ++i) labels[i] = i % 2 ? 1 : -1;
    ByHand<Eigen::MatrixXd> columns(drawn, labels, w), again(drawn, labels, w);
    ByHand<Rows> rows(drawn, labels, w);

    Placeholder<double, Shape<dyn, d>> x{"x"};
    Placeholder<double, Shape<dyn, 1>> y{"y"};
    Variable<double, Shape<d, 1>> weights{"w"};
    auto loss = sum(log(exp(-y * matmul(x, weights)) + 1.));
    const Output gradient = std::get<0>(gradients(loss, weights));
    weights.assign(Tensor::of<double>({d, 1}, {w.data(), static_cast<std::size_t>(d)}));
    Session session;
    const auto step = session.make_callable({loss, gradient}, feed(x, {rows.x.data(), static_cast<std::size_t>(n * d)}), feed(y, {labels.data(), static_cast<std::size_t>(n)}));

    const double reference = columns.step();
    rows.step(), step();
    double worst = std::abs(rows.g[0] - columns.g[0]);
    for (Index i = 0; i < d; ++i) worst = std::max(worst, std::abs(step.template result<double>(1)[static_cast<std::size_t>(i)] - columns.g[i]));
    char title[64];
    std::snprintf(title, sizeof title, "logistic regression, %ld x %ld", long(n), long(d));
    std::printf("\nloss by hand %.10g, tenon %.10g; largest difference of the gradients %.2g\n", reference, step.template result<double>(0)[0], worst);
    std::vector<bench::Candidate> all{{"by hand, X by columns", [&] { columns.step(), bench::clobber(); }}, {"by hand, X by columns, again", [&] { again.step(), bench::clobber(); }},
                                      {"by hand, X by rows", [&] { rows.step(), bench::clobber(); }}, {"tenon, session", [&] { step(), bench::clobber(); }}};
    if constexpr (n * d <= 16) {
        const auto fx = std::make_shared<Fixed<double, Shape<n, d>>>();
        const auto fy = std::make_shared<Fixed<double, Shape<n, 1>>>();
        const auto fw = std::make_shared<Fixed<double, Shape<d, 1>>>();
        std::copy_n(rows.x.data(), n * d, fx->elements.data()), std::copy_n(labels.data(), n, fy->elements.data()), std::copy_n(w.data(), d, fw->elements.data());
        const auto function = value_and_gradient([px = fx.get(), py = fy.get()](auto v) { return sum(log(exp(-*py * matmul(*px, v)) + 1.)); });
        all.push_back({"tenon, value_and_gradient", [fx, fy, fw, function] {
                           const auto result = function(*fw);
                           if (result.first == 42.) std::puts("");
                           bench::clobber();
                       }});
    }
    bench::compare(title, all, "", 1, 15, 5);
}

}  // namespace

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);
    compare<4, 2>();
    compare<100, 10>();
    compare<1000, 20>();
    compare<10000, 100>();
}
