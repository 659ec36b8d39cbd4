// What saves and restores do where there is no memory: each request for it fails once.
#include "../support/damage.hpp"
#include "../support/memory.hpp"
#include "../support/scratch.hpp"
#include <tenon/checkpoint/saving.hpp>
#include <tenon/ops/ops.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

/// Two variables of n MiB, whose elements are all alike, and a small one.
template <int n> struct Model {
    Variable<std::int32_t, Shape<n << 18>> a{"a"}, c{"c"};
    Variable<std::int32_t, Shape<>> step{"step", constant(1)};
    Saver saver{a, c, step};
    Session session;

    void set(int value) const {
        for (const auto& v : saver.variables()) {
            auto& state = *v.variable.operation->state;
            std::fill_n(state.value.template data<std::int32_t>(), state.value.size(), value);
            state.initialized = true;
        }
    }
    bool is(int value) const {
        for (const auto& v : saver.variables()) {
            const auto& state = *v.variable.operation->state;
            const auto all = state.value.template span<std::int32_t>();
            if (!state.initialized || std::count(all.begin(), all.end(), value) != static_cast<std::ptrdiff_t>(all.size())) return false;
        }
        return true;
    }
};

template <int n> void check_restores() {
    CAPTURE(n);
    Scratch dir;
    Model<n> m;
    m.set(1);
    const auto prefix = m.saver.save(m.session, dir / "m", {.durable = false});
    m.saver.restore(m.session, prefix);
    m.set(2);
    long failed = 0, request = 0;
    const auto all = each_request([&] { m.saver.restore(m.session, prefix); m.set(2); }, [&](auto refused) {
        ++request;
        CAPTURE(request);
        try {
            refused([&] { m.saver.restore(m.session, prefix); });
            CHECK(m.is(1));
            m.set(2);
        } catch (const std::bad_alloc&) {
            CHECK(m.is(2));
            ++failed;
        }
    });
    CHECK(all > 20);
    CHECK(failed > all / 2);
    m.saver.restore(m.session, prefix);
    CHECK(m.is(1));
}

}  // namespace

TEST_CASE("a restore that gets no memory leaves variables as they were, whether their values are kept aside, read twice, or read by two threads") {
    check_restores<1>();
    check_restores<6>();
    check_restores<33>();
}

TEST_CASE("a save that gets no memory leaves the files that were there") {
    Scratch dir;
    Model<1> m;
    m.set(1);
    const auto save = [&] { return m.saver.save(m.session, dir / "m", {.durable = false}); };
    const auto prefix = save();
    const auto files = dir.listing();
    m.set(2);
    long failed = 0, request = 0;
    const auto saved = [&] {
        const Model<1> other;
        other.saver.restore(m.session, prefix);
        return other.is(1) ? 1 : other.is(2) ? 2 : 0;
    };
    each_request([&] { save(), m.set(1), save(), m.set(2); }, [&](auto refused) {
        ++request;
        CAPTURE(request);
        if (saved() != 1) m.set(1), save(), m.set(2);
        try {
            refused(save);
            CHECK(saved() == 2);
        } catch (const std::bad_alloc&) {
            CHECK(saved() == 1);
            CHECK(dir.listing() == files);
            ++failed;
        }
    });
    CHECK(failed > 100);
}

TEST_CASE("a tensor that there was no memory to add is not in the checkpoint, nor is anything that is left of it") {
    for (const bool later : {false, true}) {
        const Tensor t(DType::uint8, {2 << 20});
        std::memset(t.raw(), 3, t.bytes());
        const auto write = [&](auto add) {
            Scratch dir;
            BundleWriter writer(dir / "m", {.durable = false, .write_at_finish = later});
            writer.add("a", t);
            const bool added = add(writer);
            writer.add("c", t);
            writer.finish();
            CHECK(verify_bundle(dir / "m").empty());
            const BundleReader reader(dir / "m");
            CHECK((reader.find("b") != nullptr) == added);
            for (const auto& stored : reader.tensors()) CHECK(std::memcmp(reader.read(stored).raw(), t.raw(), t.bytes()) == 0);
        };
        const auto once = [&] { write([&](BundleWriter& writer) { return writer.add("b", t), true; }); };
        long failed = 0;
        each_request(once, [&](auto refused) {
            write([&](BundleWriter& writer) {
                try {
                    refused([&] { writer.add("b", t); });
                } catch (const std::bad_alloc&) { return ++failed, false; }
                return true;
            });
        });
        CHECK(failed > 0);
    }
}

TEST_CASE("where there is no memory for a second thread the first does everything") {
    std::array<int, 100> done{};
    const auto work = [&] { detail::by_two_threads(done.size(), [&](int, std::size_t i) { ++done[i]; }); };
    int times = 1;
    each_request(work, [&](auto refused) {
        refused(work);
        CHECK(std::count(done.begin(), done.end(), ++times) == 100);
    });
}
