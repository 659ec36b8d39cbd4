// Files cut off or flipped at thousands of places, through the functions that programs call: a typed error that begins with the path, and nothing has
// changed, in the variables or in the process.
#include "../support/bad_input.hpp"
#include "../support/golden.hpp"
#include <tenon/graph/meta_file.hpp>

#include <doctest/doctest.h>
#include <optional>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("index and data truncated at any byte or with any bit flipped restore nothing, and say which file it is") {
    Scratch dir;
    save_sample(dir / "m");
    const auto [graph, saver] = import_meta_graph(dir / "m.meta");
    REQUIRE(saver.variables().size() == 6);
    Session session{graph};
    for (const auto& v : graph.variables()) {  // some have a value before, some have none
        auto& s = *v.operation->state;
        std::fill_n(s.value.raw(), s.value.bytes(), std::byte{0x5a});
        s.initialized = v.operation->name != "d" && v.operation->name != "h";
    }
    const Values before(graph);
    saver.restore(session, dir / "m");
    const Values sound(graph);
    const auto forget = [&] {
        for (std::size_t i = 0; i < graph.variables().size(); ++i) {
            auto& s = *graph.variables()[i].operation->state;
            std::copy_n(before.variables[i].second.data(), s.value.bytes(), reinterpret_cast<char*>(s.value.raw()));
            s.initialized = before.variables[i].first;
        }
    };
    const auto descriptors = open_files();
    for (const auto& suffix : {std::string(".index"), data_suffix}) {
        const auto path = dir / ("m" + suffix);
        const auto bytes = read_bytes(path);
        std::size_t places = 0, harmless = 0, wrong = 0;
        const auto damage = [&](const std::string& bad) {
            write_bytes(path, bad);
            forget();
            const auto [type, message] = thrown([&] { saver.restore(session, dir / "m"); });
            ++places;
            if (type.empty()) {
                ++harmless;
                wrong += Values(graph) != sound;
            } else {
                wrong += (type != "CorruptError" && type != "FormatError") || !message.starts_with(path + ": ") || Values(graph) != before;
            }
        };
        for (std::size_t n = 0; n < bytes.size(); ++n) damage(bytes.substr(0, n));
        CHECK(harmless == 0);
        for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) damage(flipped(bytes, bit));
        MESSAGE(suffix << ": " << bytes.size() << " bytes, " << places << " places, " << harmless << " of them of no importance");
        CHECK(wrong == 0);
        CHECK(places > 2000);
        CHECK(harmless <= (suffix == ".index" ? 8 * (40 + 8 + 5) : 0));  // padding of the footer, and the empty metaindex, which nobody reads
        write_bytes(path, bytes);
    }
    CHECK(open_files() == descriptors);
    saver.restore(session, dir / "m");
    CHECK(Values(graph) == sound);
}

TEST_CASE("a graph truncated or flipped in any of thousands of places, binary, JSON or text, is an error of its file or still a graph") {
    Scratch dir;
    save_sample(dir / "m");
    const auto sound = import_meta_graph(dir / "m.meta");
    Session session{sound.graph};
    sound.saver.restore(session, dir / "m");
    const Values before(sound.graph);
    const auto meta = proto::read_meta(read_bytes(dir / "m.meta"), "m.meta");
    const auto descriptors = open_files();
    for (const auto format : {MetaFormat::binary, MetaFormat::json, MetaFormat::text}) {
        const auto bytes = proto::write_meta(meta, format), path = dir / "bad.meta";
        std::size_t places = 0, refused = 0, restored = 0;
        const auto damage = [&](const std::string& bad) {
            write_bytes(path, bad);
            ++places;
            std::optional<ImportedModel> model;
            auto [type, message] = thrown([&] { model.emplace(import_meta_graph(path)); });
            if (!model) {
                ++refused;
                CHECK_MESSAGE((type == "FormatError" && message.starts_with(path)), type << " " << message);
                return;
            }
            Session other{model->graph};
            const Values fresh(model->graph);
            std::tie(type, message) = thrown([&] { model->saver.restore(other, dir / "m"); });
            restored += type.empty();
            if (!type.empty()) CHECK((Values(model->graph) == fresh));
            thrown([&] { other.run("y:0"); });  // a typed error, if any
        };
        for (std::size_t n = 0; n < bytes.size(); n += std::max<std::size_t>(1, bytes.size() / 700)) damage(bytes.substr(0, n));
        for (std::size_t i = 0; i < 1500; ++i) damage(flipped(bytes, i * bytes.size() / 1500 * 8 + i % 8));
        MESSAGE(bytes.size() << " bytes, " << places << " places: " << refused << " refused, " << restored << " restored all the same");
        CHECK(places >= 2000);
        CHECK(refused > places / 4);
    }
    CHECK(open_files() == descriptors);
    CHECK((Values(sound.graph) == before));
    CHECK(session.run("y:0").dims() == Dims{5, 7});
}

TEST_CASE("frozen graphs and SavedModels truncated or flipped anywhere are errors of their file or still graphs") {
    Scratch dir;
    std::filesystem::create_directories(dir / "model");
    std::filesystem::copy(golden("saved_model", "model/variables"), dir / "model/variables");
    const auto each = [&](const std::string& source, const std::string& path, auto import) {
        const auto bytes = read_bytes(source);
        std::size_t places = 0, refused = 0;
        const auto damage = [&](const std::string& bad) {
            write_bytes(path, bad);
            const auto [type, message] = thrown([&] { import(path); });
            ++places;
            refused += !type.empty();
            // What no longer fits its values is said by their place.
            if (!type.empty()) CHECK_MESSAGE(message.find(dir.path()) != message.npos, message);
        };
        for (std::size_t n = 0; n < bytes.size(); n += std::max<std::size_t>(1, bytes.size() / 300)) damage(bytes.substr(0, n));
        for (std::size_t i = 0; i < 700; ++i) damage(flipped(bytes, i * bytes.size() / 700 * 8 + i % 8));
        CHECK(places >= 1000);
        CHECK(refused > places / 4);
    };
    each(golden("frozen", "frozen.pb"), dir / "g.pb", [](const std::string& path) { import_graph_def(path); });
    each(golden("frozen", "frozen.pbtxt"), dir / "g.pbtxt", [](const std::string& path) { import_graph_def(path); });
    each(golden("saved_model", "model/saved_model.pb"), dir / "model/saved_model.pb", [&](const std::string&) { import_saved_model(dir / "model"); });
}
