// The objective of a Gaussian mixture, as ADBench states it, and its gradient, in double: tenon's session beside Eigen by hand.
//
// Component c has weight alpha_c, mean mu_c and a lower triangle L_c with diagonal exp(q_c), the inverse square root of its covariance:
//     sum over points of log sum over c of exp(alpha_c + sum q_c - |L_c (x - mu_c)|^2 / 2)  -  n log sum exp alpha  +  prior of L
#include "harness.hpp"

#include <tenon/tenon.hpp>

#include <cmath>
#include <numbers>

#include <malloc.h>

using namespace tenon;
using Eigen::ArrayXXd, Eigen::Index, Eigen::MatrixXd, Eigen::VectorXd;

namespace {

/// What does not depend on the parameters, with ADBench's gamma = 1 and m = 0.
double constant_part(Index d, Index k, Index n) {
    double log_gamma = .25 * double(d * (d - 1)) * std::log(std::numbers::pi);
    for (Index j = 1; j <= d; ++j) log_gamma += std::lgamma(.5 * double(d + 1) + .5 * double(1 - j));
    const double prior = double((d + 1) * d) * (-.5 * std::log(2.)) - log_gamma;
    return -.5 * double(n * d) * std::log(2 * std::numbers::pi) - double(k) * prior;
}

/// Row-major parameters, as tenon has them. `lower` holds the triangle below the diagonal column by column.
struct Parameters {
    std::vector<double> alphas, means, diagonals, lower;
    Parameters(Index d, Index k) {
        const VectorXd drawn = VectorXd::Random(k + 2 * k * d + k * d * (d - 1) / 2) * .5;
        const double* at = drawn.data();
        for (auto [to, count] : {std::pair(&alphas, k), {&means, k * d}, {&diagonals, k * d}, {&lower, k * d * (d - 1) / 2}}) to->assign(at, at + count), at += count;
    }
};

/// Points lie along the contiguous axis, as in the typed program; a product for every component, all memory reused.
struct ByHand {
    Index d, k, n;
    MatrixXd x, away, through, outer;
    ArrayXXd terms;
    std::vector<MatrixXd> triangles;
    Eigen::ArrayXd top, total;
    Parameters p, g;

    ByHand(const MatrixXd& points, const Parameters& parameters)
        : d(points.cols()), k(Index(parameters.alphas.size())), n(points.rows()), x(points), away(n, d * k), through(n, d * k), outer(d, d), terms(n, k), triangles(std::size_t(k), MatrixXd::Zero(d, d)), top(n), total(n), p(parameters), g(parameters) {}
    double step() {
        double prior = 0;
        for (Index c = 0; c < k; ++c) {
            MatrixXd& l = triangles[std::size_t(c)];
            const double *q = p.diagonals.data() + c * d, *below = p.lower.data() + c * d * (d - 1) / 2;
            double sum = 0, squares = 0;
            for (Index i = 0; i < d; ++i) {
                l(i, i) = std::exp(q[i]), sum += q[i], squares += l(i, i) * l(i, i);
                for (Index j = i + 1; j < d; ++j, ++below) l(j, i) = *below, squares += *below * *below;
            }
            auto from_mean = away.middleCols(c * d, d), product = through.middleCols(c * d, d);
            from_mean = x.rowwise() - Eigen::Map<const Eigen::RowVectorXd>(p.means.data() + c * d, d);
            if (d <= 16) product = from_mean.lazyProduct(l.transpose());
            else product.noalias() = from_mean * l.transpose().triangularView<Eigen::Upper>();
            terms.col(c) = p.alphas[std::size_t(c)] + sum - .5 * product.array().square().rowwise().sum();
            prior += .5 * squares;
        }
        top = terms.rowwise().maxCoeff();
        terms = (terms.colwise() - top).exp();
        total = terms.rowwise().sum();
        const double likelihood = total.log().sum() + top.sum();
        const Eigen::Map<const Eigen::ArrayXd> alphas(p.alphas.data(), k);
        const double highest = alphas.maxCoeff(), sum = (alphas - highest).exp().sum();
        total = total.inverse();
        for (Index c = 0; c < k; ++c) {
            terms.col(c) *= total;
            const auto share = terms.col(c);
            const MatrixXd& l = triangles[std::size_t(c)];
            auto from_mean = away.middleCols(c * d, d), product = through.middleCols(c * d, d);
            const double shares = share.sum();
            for (Index i = 0; i < d; ++i) product.col(i).array() *= share;
            g.alphas[std::size_t(c)] = shares - double(n) * std::exp(alphas[c] - highest) / sum;
            Eigen::Map<VectorXd>(g.means.data() + c * d, d).noalias() = l.transpose() * product.colwise().sum().transpose();
            outer.noalias() = product.transpose() * from_mean;
            double* below = g.lower.data() + c * d * (d - 1) / 2;
            for (Index i = 0; i < d; ++i) {
                g.diagonals[std::size_t(c * d + i)] = shares - l(i, i) * outer(i, i) + l(i, i) * l(i, i);
                for (Index j = i + 1; j < d; ++j, ++below) *below = l(j, i) - outer(j, i);
            }
        }
        return constant_part(d, k, n) + likelihood - double(n) * (std::log(sum) + highest) + prior;
    }
};

template <std::int64_t d, std::int64_t k, std::int64_t n> void compare() {
    constexpr std::int64_t triangle = d * (d - 1) / 2;
    const MatrixXd points = MatrixXd::Random(n, d);
    const Parameters start(d, k);
    ByHand reference(points, start), again(points, start);

    Placeholder<double, Shape<d, n>> x{"x"};
    Variable<double, Shape<k>> alphas{"alphas"};
    Variable<double, Shape<k, d>> means{"means"}, diagonals{"diagonals"};
    Variable<double, Shape<k, triangle>> lower{"lower"};
    // of a triangle: the diagonal comes first, then a zero for whatever is above it, then what is below it
    Tensor places(DType::int32, {d * d}), zero(DType::float64, {k, 1});
    std::fill_n(places.data<std::int32_t>(), d * d, d), std::fill_n(zero.data<double>(), k, 0.);
    for (std::int32_t j = 0, next = d + 1; j < d; ++j) {
        places.data<std::int32_t>()[j * d + j] = j;
        for (std::int32_t i = j + 1; i < d; ++i) places.data<std::int32_t>()[i * d + j] = next++;
    }
    const Node<std::int32_t, Shape<d * d>> where{make_const<std::int32_t>(places)};
    const Node<double, Shape<k, 1>> none{make_const<double>(zero)};

    auto scales = exp(diagonals);
    auto triangles = reshape<k, d, d>(gather<1>(concat<1>(scales, none, lower), where));
    auto distances = sum<1>(square(matmul(triangles, x) - matmul(triangles, expand_dims<2>(means))));
    auto terms = expand_dims<1>(alphas + sum<1>(diagonals)) - .5 * distances;
    auto top = stop_gradient(max<0>(terms));
    auto highest = stop_gradient(max(alphas));
    auto likelihood = sum(log(sum<0>(exp(terms - top))) + top);
    auto normaliser = log(sum(exp(alphas - highest))) + highest;
    auto prior = .5 * (sum(square(scales)) + sum(square(lower)));
    auto objective = likelihood - double(n) * normaliser + prior + constant_part(d, k, n);
    const auto [d_alphas, d_means, d_diagonals, d_lower] = gradients(objective, alphas, means, diagonals, lower);
    alphas.assign(Tensor::of<double>({k}, start.alphas)), means.assign(Tensor::of<double>({k, d}, start.means));
    diagonals.assign(Tensor::of<double>({k, d}, start.diagonals)), lower.assign(Tensor::of<double>({k, triangle}, start.lower));
    Session session;
    const auto step = session.make_callable({objective, d_alphas, d_means, d_diagonals, d_lower}, feed(x, {points.data(), static_cast<std::size_t>(n * d)}));

    const double value = reference.step();
    step();
    double worst = 0;
    for (const auto& [i, g] : {std::pair(1, &reference.g.alphas), {2, &reference.g.means}, {3, &reference.g.diagonals}, {4, &reference.g.lower}})
        for (std::size_t e = 0; e < g->size(); ++e) worst = std::max(worst, std::abs(step.template result<double>(std::size_t(i))[e] - (*g)[e]) / (1 + std::abs((*g)[e])));
    std::printf("\nvalue by hand %.12g, tenon %.12g; largest relative difference of the gradients %.2g; %zu kernels\n", value, step.template result<double>(0)[0], worst, step.plan().kernels());
    char title[80];
    std::snprintf(title, sizeof title, "mixture, %ld dimensions, %ld components, %ld points", long(d), long(k), long(n));
    bench::compare(title, {{"by hand, Eigen", [&] { reference.step(), bench::clobber(); }}, {"by hand, again", [&] { again.step(), bench::clobber(); }}, {"tenon, session", [&] { step(), bench::clobber(); }}}, "", 1, 11, 10);
}

}  // namespace

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);
    compare<2, 5, 1000>();
    compare<10, 5, 1000>();
    compare<10, 25, 1000>();
    compare<64, 5, 1000>();
}
