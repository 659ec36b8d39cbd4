// Restores of checkpoints that are large, damaged, or looked at where they lie.
#include "../support/golden.hpp"
#include "../support/memory_map.hpp"
#include "../support/scratch.hpp"
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/grad/gradients.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>
#include <random>

using namespace tenon;
using namespace tenon::test;

namespace {

const std::string data_suffix = ".data-00000-of-00001";

/// Floats between 1 and 2.
void fill(const Tensor& t, std::uint32_t seed) {
    auto* words = reinterpret_cast<std::uint32_t*>(t.raw());
    for (std::size_t i = 0; i < t.bytes() / 4; ++i) {
        seed = seed * 1664525u + 1013904223u;
        words[i] = 0x3f800000u | seed >> 9;
    }
}
std::uint32_t sum_of(const Tensor& t) { return crc32c({reinterpret_cast<const char*>(t.raw()), t.bytes()}); }
void flip(const std::string& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
}

/// A small variable and two of n MiB.
template <int n> struct Model {
    Variable<float, Shape<n << 18>> a{"a"}, c{"c"};
    Variable<float, Shape<5>> b{"b", constant(3.0f)};
    Variable<std::int64_t, Shape<>> step{"step", constant(1)};
    Saver saver{a, b, c, step};
    Session session;
    std::vector<std::uint32_t> sums() const { return {sum_of(a.value()), sum_of(b.value()), sum_of(c.value()), sum_of(step.value())}; }
    void set(std::uint32_t seed) const {
        fill(a.value(), seed), fill(b.value(), seed + 1), fill(c.value(), seed + 2), fill(step.value(), seed + 3);
    }
};

template <int n> void check_damage() {
    Scratch dir;
    Model<n> m;
    m.set(1);
    const auto prefix = m.saver.save(m.session, dir / "m", {.durable = false});
    const auto saved = m.sums();
    const auto data = prefix + data_suffix;
    const auto size = std::filesystem::file_size(data);
    for (const auto how : {Restore::copy, Restore::view}) {
        m.set(2);
        const auto before = m.sums();
        for (const auto at : {std::uint64_t{0}, size / 2, size - 1}) {
            flip(data, at);
            CHECK_THROWS_AS(m.saver.restore(m.session, prefix, how), CorruptError);
            CHECK(m.sums() == before);
            flip(data, at);
        }
        m.saver.restore(m.session, prefix, how);
        CHECK(m.sums() == saved);
    }
    m.set(2);
    const auto before = m.sums();
    std::filesystem::resize_file(data, size - 1);
    for (const auto how : {Restore::copy, Restore::view}) {
        CHECK_THROWS_AS(m.saver.restore(m.session, prefix, how), CorruptError);
        CHECK(m.sums() == before);
    }
}

}  // namespace

TEST_CASE("a byte that is wrong anywhere changes nothing, in a small checkpoint, in one that is read twice, and in one that is read by two threads") {
    check_damage<1>();
    check_damage<6>();
    check_damage<33>();
}

TEST_CASE("a restore into existing variables takes less than 16 MiB beside them") {
    Scratch dir;
    Model<32> m;
    m.set(1);
    const auto saved = m.sums();
    const auto prefix = m.saver.save(m.session, dir / "m", {.durable = false});
    m.set(2);
    forget_peak();
    const auto before = peak_memory();
    m.saver.restore(m.session, prefix);
    CHECK(peak_memory() - before < 16 << 10);
    CHECK(m.sums() == saved);
}

TEST_CASE("variables have no value if the file changes between the two readings") {
    Scratch dir;
    Model<6> m;
    m.set(1);
    const auto prefix = m.saver.save(m.session, dir / "m", {.durable = false});
    const BundleReader reader(prefix);
    std::vector<tenon::detail::RestoreStep> steps;
    REQUIRE(tenon::detail::plan_restore(reader, m.saver.variables(), steps).fits());
    BundleReader::Cursor cursor;
    tenon::detail::RestoreInPlace restore(reader, cursor, steps);
    flip(prefix + data_suffix, 9 << 20);
    CHECK_THROWS_AS(restore.apply(), CorruptError);
    for (const auto& v : m.saver.variables()) CHECK_FALSE(v.variable.operation->state->initialized);
    CHECK_THROWS_AS(m.session.run(m.b), ValueError);
    CHECK_THROWS_AS(m.saver.restore(m.session, prefix), CorruptError);
    flip(prefix + data_suffix, 9 << 20);
    m.saver.restore(m.session, prefix);
    CHECK(m.session.run(m.step).item<std::int64_t>() == m.step.value().item<std::int64_t>());
}

TEST_CASE("views look into the file; plans and callables that were made before see them") {
    Scratch dir;
    Model<1> m;
    m.set(1);
    const auto saved = m.sums();
    const auto prefix = m.saver.save(m.session, dir / "m", {.alignment = 64, .durable = false});
    const auto total = sum(m.a * 2.0f);
    const auto callable = m.session.make_callable({total});
    callable();
    const auto want = callable.result<float>(0)[0];
    CHECK(want == m.session.run(total).item<float>());
    fill(m.a.value(), 9);
    callable();
    CHECK(want != callable.result<float>(0)[0]);
    m.saver.restore(m.session, prefix, Restore::view);
    CHECK(m.sums() == saved);
    CHECK(file_at(m.a.value().raw()) == prefix + data_suffix);
    CHECK(file_at(m.c.value().raw()) == prefix + data_suffix);
    CHECK(file_at(m.b.value().raw()) == "");
    callable();
    CHECK(want == callable.result<float>(0)[0]);
    CHECK(want == m.session.run(total).item<float>());
    CHECK(sum_of(m.session.run(m.a)) == saved[0]);

    SUBCASE("a checkpoint of the same name replaces the file, not what is seen") {
        Model<1> other;
        other.set(77);
        other.saver.save(other.session, dir / "m", {.durable = false});
        CHECK(sum_of(m.a.value()) == saved[0]);
        m.saver.restore(m.session, prefix);
        CHECK(m.sums() == other.sums());
    }
    SUBCASE("a save of what is viewed, over itself") {
        m.saver.save(m.session, dir / "m", {.durable = false});
        CHECK(verify_bundle(prefix).empty());
        CHECK(sum_of(m.a.value()) == saved[0]);
    }
    SUBCASE("values come back by another restore, which is no view") {
        m.set(5);
        m.saver.restore(m.session, prefix);
        CHECK(m.sums() == saved);
        CHECK(file_at(m.a.value().raw()) == "");
        callable();
        CHECK(want == callable.result<float>(0)[0]);
        CHECK(verify_bundle(prefix).empty());
    }
}

TEST_CASE("training a viewed variable is training a copy: the same numbers, and the file stays") {
    Scratch dir;
    const auto train = [&](Restore how) {
        Variable<float, Shape<200, 200>> w{"w", random_normal()};
        Variable<float, Shape<200>> b{"b"};
        Saver saver{w, b};
        Session session;
        if (how == Restore::copy) saver.save(session, dir / "m");
        else saver.restore(session, dir / "m", how);
        CHECK((how == Restore::copy) == file_at(w.value().raw()).empty());
        const auto step = GradientDescent{{.learning_rate = 0.01f}}.minimize(mean(square(w + b - 1.0f)));
        for (int i = 0; i < 3; ++i) session.run(step);
        return std::pair(w.value().clone(), b.value().clone());
    };
    const auto want = train(Restore::copy), got = train(Restore::view);
    CHECK(difference(got.first, want.first) == "");
    CHECK(difference(got.second, want.second) == "");
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("views of one reader share no memory that one of them could write") {
    Scratch dir;
    Tensor t(DType::float32, {40000});
    fill(t, 3);
    BundleWriter writer(dir / "m", {.durable = false});
    writer.add("t", t);
    writer.add("u", t);
    writer.finish();
    const BundleReader reader(dir / "m");
    const auto one = reader.view(reader.at("t")), two = reader.view(reader.at("t")), next = reader.view(reader.at("u"));
    REQUIRE(file_at(one.raw()) != "");
    std::memset(static_cast<void*>(one.raw()), 0, one.bytes());
    CHECK(sum_of(two) == sum_of(t));
    CHECK(sum_of(next) == sum_of(t));
    CHECK(sum_of(reader.read("t")) == sum_of(t));
}

TEST_CASE("what cannot be looked at is read: unaligned, small, in parts, of strings or bools, in the other byte order") {
    Scratch dir;
    Tensor large(DType::float32, {300, 100}), bools(DType::boolean, {100000}), bytes(DType::uint8, {100001});
    fill(large, 1), fill(bytes, 2);
    for (auto& b : bools.span<bool>()) b = true;
    BundleWriter writer(dir / "m", {.durable = false});
    writer.add("aligned", large);
    writer.add("bytes", bytes);
    writer.add("unaligned", large);
    writer.add("bools", bools);
    writer.add("strings", Tensor::of<std::string>({2}, {std::string(70000, 'x'), "y"}));
    writer.add("small", Tensor::scalar(1.0f));
    writer.add("empty", Tensor(DType::float32, {0}));
    writer.add_slice("parts", {600, 100}, TensorSlice::parse("0,300:-"), large);
    writer.add_slice("parts", {600, 100}, TensorSlice::parse("300,300:-"), large);
    writer.finish();
    const BundleReader reader(dir / "m");
    for (const auto& t : reader.tensors()) {
        CAPTURE(t.name);
        const auto seen = reader.view(t);
        CHECK(difference(seen, reader.read(t)) == "");
        CHECK((file_at(seen.raw()) != "") == (t.name == "aligned" || t.name == "bytes"));
    }
}

TEST_CASE("a file that becomes shorter is an error of whoever reads or views it next") {
    Scratch dir;
    Tensor t(DType::float32, {4 << 20});
    fill(t, 3);
    BundleWriter writer(dir / "m", {.durable = false});
    writer.add("first", Tensor::scalar(1.0f));
    writer.add("t", t);
    writer.finish();
    const BundleReader reader(dir / "m");
    CHECK(sum_of(reader.view(reader.at("t"))) == sum_of(t));
    for (const std::uint64_t size : {(16u << 20) + 3, 9u << 20, 5000u, 0u}) {
        std::filesystem::resize_file(dir / ("m" + data_suffix), size);
        const auto& stored = reader.at("t");
        CHECK_THROWS_AS(reader.view(stored), CorruptError);
        CHECK_THROWS_AS(reader.read(stored), CorruptError);
        std::vector<std::string> defects;
        reader.verify(stored, defects);
        CHECK(defects.size() == 1);
    }
}

TEST_CASE("tensors of any size are read alike one by one, ahead, and in any order") {
    Scratch dir;
    std::mt19937 random(7);
    std::vector<Tensor> tensors;
    BundleWriter writer(dir / "m", {.shards = 2, .durable = false});
    for (int i = 0; i < 150; ++i) {
        const auto n = random() % (i % 10 == 0 ? 3u << 20 : i % 3 == 0 ? 400000u : 300u);
        tensors.emplace_back(DType::uint8, Dims{static_cast<std::int64_t>(n)});
        fill(tensors.back(), static_cast<std::uint32_t>(i));
        for (std::size_t k = n / 4 * 4; k < n; ++k) tensors.back().raw()[k] = std::byte{1};
        writer.add(std::to_string(i), tensors.back(), i < 80 ? 0 : 1);
    }
    writer.finish();
    const BundleReader reader(dir / "m");
    BundleReader::Cursor cursor;
    const auto check = [&](std::size_t i) {
        CAPTURE(i);
        const auto& t = reader.at(std::to_string(i));
        const auto whole = TensorSlice::whole(1);
        const auto want = sum_of(tensors[i]);
        CHECK(sum_of(reader.read(t, whole, cursor)) == want);
        if (i % 7 == 0) reader.verify(t, whole, cursor);
        CHECK(sum_of(reader.view(t, cursor)) == want);
    };
    for (std::size_t i = 0; i < tensors.size(); ++i) check(i);
    for (std::size_t i = tensors.size(); i-- > 0;) check(i);
    for (int k = 0; k < 300; ++k) check(random() % tensors.size());
}
