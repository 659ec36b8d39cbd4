#include "../support/scratch.hpp"

#include <doctest/doctest.h>
#include <tenon/io/file.hpp>

#include <csignal>

#include <sys/resource.h>

using namespace tenon;
using tenon::test::Scratch;

TEST_CASE("a whole file is read back, ranges too") {
    Scratch dir;
    write_file_atomically(dir / "f", "0123456789");
    CHECK(read_file(dir / "f") == "0123456789");
    const auto f = File::open(dir / "f");
    CHECK(f.size() == 10);
    char part[4];
    f.read_at(3, part, 4);
    CHECK(std::string(part, 4) == "3456");
    CHECK_THROWS_WITH_AS(f.read_at(8, part, 4), (f.path() + ": the file ends at byte 10, 2 more are expected").c_str(), CorruptError);
    CHECK(dir.listing() == "f");
}

TEST_CASE("a missing file has its own error, with its path and the system's words") {
    Scratch dir;
    const auto path = dir / "none";
    CHECK_THROWS_WITH_AS(read_file(path), (path + ": cannot open: No such file or directory").c_str(), MissingFileError);
    CHECK_THROWS_AS(modification_time(path), MissingFileError);
    CHECK_THROWS_AS(list_directory(path), MissingFileError);
    CHECK_THROWS_AS(write_file_atomically(path + "/f", "x"), MissingFileError);
    CHECK_THROWS_AS(make_directory(path + "/d"), MissingFileError);
    CHECK_FALSE(file_exists(path));
    CHECK_FALSE(remove_file(path));
    CHECK_THROWS_WITH_AS(read_file(dir.path()), (dir.path() + ": cannot read: Is a directory").c_str(), FileError);
}

TEST_CASE("a draft is not seen before it is published, and leaves nothing if it is not") {
    Scratch dir;
    write_file_atomically(dir / "f", "old");
    {
        Draft abandoned(dir / "f");
        abandoned.append("half");
        abandoned.finish();
        CHECK(read_file(dir / "f") == "old");
    }
    CHECK(dir.listing() == "f");
    Draft draft(dir / "f");
    const std::string large(3 << 20, 'x');
    draft.append("new");
    draft.reserve(large.size());
    draft.append(large);
    draft.append("end");
    CHECK(draft.size() == large.size() + 6);
    CHECK(read_file(dir / "f") == "old");
    draft.publish();
    CHECK(read_file(dir / "f") == "new" + large + "end");
    CHECK(dir.listing() == "f");
}

TEST_CASE("a draft that could not be written whole is never published, however often it is tried") {
    Scratch dir;
    write_file_atomically(dir / "f", "old");
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    ::rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    {
        Draft draft(dir / "f");
        draft.append(std::string(5000, 'x'));
        const ::rlimit little{1000, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &little);
        CHECK_THROWS_AS(draft.finish(), FileError);
        ::setrlimit(RLIMIT_FSIZE, &before);
        CHECK_THROWS_WITH_AS(draft.finish(), (dir / "f" + " could not be written").c_str(), FileError);
        CHECK_THROWS_AS(draft.publish(), FileError);
        CHECK(read_file(dir / "f") == "old");
    }
    ::signal(SIGXFSZ, handler);
    CHECK(dir.listing() == "f");
}

TEST_CASE("pieces of any size stand in a draft in their order") {
    Scratch dir;
    Draft draft(dir / "f");
    std::string all;
    for (const std::size_t n : {1u, 300000u, 2u, 262144u, 262143u, 0u, 262143u, 900000u, 5u, 2000000u, 7u}) {
        const std::string piece(n, static_cast<char>('a' + n % 26));
        draft.append(piece);
        all += piece;
    }
    draft.publish();
    CHECK((read_file(dir / "f") == all));
}

TEST_CASE("a draft keeps no room that it did not fill") {
    Scratch dir;
    for (const bool durable : {true, false}) {
        Draft draft(dir / "f", durable);
        draft.reserve(64u << 20);
        draft.append(std::string(1 << 20, 'x'));
        draft.publish();
        struct ::stat s {};
        REQUIRE(::stat((dir / "f").c_str(), &s) == 0);
        CHECK(s.st_size == 1 << 20);
        CHECK(s.st_blocks * 512 < 8 << 20);
    }
}

TEST_CASE("a draft that is moved is published once") {
    Scratch dir;
    std::vector<Draft> drafts;
    for (const auto* name : {"a", "b", "c"}) drafts.emplace_back(dir / name).append(name);
    for (auto& d : drafts) d.publish();
    drafts.clear();
    CHECK(dir.listing() == "a b c");
    CHECK(read_file(dir / "b") == "b");
}

TEST_CASE("directories are listed by prefix, in order") {
    Scratch dir;
    for (const auto* name : {"b2", "a", "b1"}) write_file_atomically(dir / name, "");
    make_directory(dir / "d");
    make_directory(dir / "d");
    CHECK(list_directory(dir.path()) == std::vector<std::string>{"a", "b1", "b2", "d"});
    CHECK(list_directory(dir.path(), "b") == std::vector<std::string>{"b1", "b2"});
    CHECK(directory_exists(dir / "d"));
    CHECK_FALSE(file_exists(dir / "d"));
    CHECK(remove_empty_directory(dir / "d"));
    CHECK(remove_file(dir / "a"));
    CHECK(modification_time(dir / "b1") > 1.5e9);
}

TEST_CASE("paths are taken apart and joined as Python does") {
    CHECK(directory_of("a/b/c") == "a/b");
    CHECK(directory_of("c") == "");
    CHECK(directory_of("/c") == "/");
    CHECK(basename_of("a/b/c") == "c");
    CHECK(basename_of("c") == "c");
    CHECK(join_path("a", "b") == "a/b");
    CHECK(join_path("a/", "b") == "a/b");
    CHECK(join_path("", "b") == "b");
    CHECK(join_path(".", "./b") == "././b");
    CHECK(join_path("a", "/b") == "/b");
}
