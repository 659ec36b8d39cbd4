// How the cost of a step grows: with the batch, the width of layers, the number of nodes, and of a checkpoint with its bytes.
#include "hand/mlp.hpp"
#include "limits.hpp"
#include "nets/mlp.hpp"

#include <tenon/save.hpp>

#include <filesystem>

#include <malloc.h>
#include <unistd.h>

using namespace tenon;

namespace {

std::string at(const char* series, long x) { return (std::string(series) += ", ") += std::to_string(x); }
constexpr int rounds = 7;
constexpr double slice = 5;

void batches(double peak) {
    for (const std::int64_t batch : {1, 4, 16, 64, 256, 1024}) {
        hand::Classifier reference(batch, {784, 128, 10});
        const bench::Model step(bench::classifier(batch));
        const double flops = 2.0 * double(batch) * (784 * 128 * 2 + 128 * 10 * 3);
        bench::compare("growth with batch", {{at("by hand", batch), [&] { reference.step(), bench::clobber(); }, flops, peak}, {at("tenon", batch), [&] { step(), bench::clobber(); }, flops, peak}}, "GFLOP/s", 1e-9, rounds, slice);
    }
}

template <std::int64_t... widths> void all_widths(double peak) {
    const auto one = [&]<std::int64_t width>(std::integral_constant<std::int64_t, width>) {
        hand::Classifier reference(64, {width, width, width, width});
        const bench::Model step(bench::wide_mlp<width>(64));
        const double flops = 2.0 * 64 * 8 * double(width) * double(width);
        bench::compare("growth with width", {{at("by hand", width), [&] { reference.step(), bench::clobber(); }, flops, peak}, {at("tenon", width), [&] { step(), bench::clobber(); }, flops, peak}}, "GFLOP/s", 1e-9, rounds, slice);
    };
    (one(std::integral_constant<std::int64_t, widths>{}), ...);
}

/// A chain of ops over 8 numbers: what a kernel costs beside its arithmetic.
void nodes() {
    for (const int count : {1, 10, 100, 1000, 10000, 100000}) {
        Placeholder<float, Shape<8>> x{"x"};
        Node<float, Shape<8>> h{x};
        for (int i = 0; i < count; ++i) h = Node<float, Shape<8>>(h + x);
        const auto values = bench::numbers({8}, 1, 1);
        Session session;
        const auto run = session.make_callable({h}, feed(x, {values.data<float>(), 8}));
        bench::compare("growth with nodes", {{at("tenon", count), [&] { run(), bench::clobber(); }, double(count)}}, "nodes/us", 1e-6, rounds, slice);
    }
}

/// A checkpoint of `count` tensors of so many floats, saved over an old one, and restored into variables.
template <std::int64_t floats> void checkpoint(const std::filesystem::path& folder, int count) {
    std::vector<SavedAs> saved;
    for (int i = 0; i < count; ++i) {
        const std::string name = at("v", i);
        saved.push_back({name, Variable<float, Shape<floats>>{name, constant(.5f)}});
    }
    Session session;
    Saver saver{saved};
    const std::string path = folder / "net", prefix = saver.save(session, path, {.write_meta_graph = false});
    const long size = count * floats * 4;
    char title[64];
    std::snprintf(title, sizeof title, "growth with bytes in tensors of %ld KiB", long(floats / 256));
    bench::compare(title, {{at("save", size), [&] { saver.save(session, path, {.write_meta_graph = false, .durable = false}); }, double(size)},
                           {at("save, durable", size), [&] { saver.save(session, path, {.write_meta_graph = false}); }, double(size)},
                           {at("restore", size), [&] { saver.restore(session, prefix); }, double(size)}}, "GB/s", 1e-9, 5, slice);
}
void bytes() {
    const auto folder = std::filesystem::temp_directory_path() / ("tenon_sweep_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    for (const int count : {1, 16, 256}) checkpoint<256>(folder, count);
    for (const int count : {1, 8, 64}) checkpoint<262144>(folder, count);
    std::filesystem::remove_all(folder);
}

}  // namespace

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);  // for Eigen's packing, as in mlp.cpp
    const double peak = bench::peak_flops();
    batches(peak);
    all_widths<32, 64, 128, 256, 512, 1024>(peak);
    nodes();
    bytes();
}
