// What a folder may hold after a power failure, by the log of what was done to it.
#pragma once
#include "disk.hpp"
#include "scratch.hpp"
#include <tenon/io/file.hpp>

#include <map>

namespace tenon::test {

/// Every file of a folder with its bytes.
using Files = std::map<std::string, std::string>;
inline Files files_in(const std::string& folder) {
    Files all;
    if (!directory_exists(folder)) return all;
    for (const auto& name : list_directory(folder)) all[name] = read_bytes(join_path(folder, name));
    return all;
}
inline void put_files(const Files& all, const std::string& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    for (const auto& [name, bytes] : all) write_bytes(join_path(folder, name), bytes);
}

/// What a folder may hold once the power is back, if it failed after the first `end` steps: of the changes of names after its last sync the first few,
/// all but one, or one alone, and of bytes that were not synced none (0), the first half (1),
/// zeros (2), all (3) or the last half (4), in the order in which they were written.
struct PowerFailure {
    const std::vector<Change>& log;
    Files before;
    std::size_t end;

    static bool renames(const Change& c) { return c.kind == Change::make || c.kind == Change::rename || c.kind == Change::link || c.kind == Change::remove; }
    /// So many steps cannot be lost.
    std::size_t synced() const {
        std::size_t n = 0;
        for (std::size_t i = 0; i < end; ++i) if (log[i].kind == Change::sync && log[i].file < 0) n = i + 1;
        return n;
    }
    std::size_t pending() const {
        std::size_t n = 0;
        for (std::size_t i = synced(); i < end; ++i) n += renames(log[i]);
        return n;
    }
    std::size_t choices() const { return 1 + 3 * pending(); }
    Files folder(std::size_t choice, int bytes) const {
        const auto all_pending = pending();
        const auto kept = [&](std::size_t i) { return choice <= all_pending ? i < choice : choice <= 2 * all_pending ? i != choice - all_pending - 1 : i == choice - 2 * all_pending - 1; };
        std::map<std::string, int> names;  // of files that are new
        Files old = before;
        const auto base = [](const std::string& path) { return basename_of(path); };
        std::size_t n = 0;
        const auto safe_steps = synced();
        for (std::size_t i = 0; i < end; ++i) {
            const auto& c = log[i];
            if (!renames(c) || (i >= safe_steps && !kept(n++))) continue;
            if (c.kind == Change::make) names[base(c.path)] = c.file;
            else if (c.kind == Change::remove) names.erase(base(c.path)), old.erase(base(c.path));
            else {
                const auto from = base(c.path), to = base(c.to);
                const auto at = names.find(from);
                if (at != names.end()) names[to] = at->second, old.erase(to);
                else if (old.contains(from)) old[to] = old[from], names.erase(to);
                if (c.kind == Change::rename) names.erase(from), old.erase(from);
            }
        }
        Files all = old;
        for (const auto& [name, file] : names) {
            std::string& whole = all[name];
            std::size_t safe = 0, loose = 0, done = 0;  // steps; bytes
            for (std::size_t i = 0; i < end; ++i) if (log[i].file == file && log[i].kind == Change::sync) safe = i;
            for (std::size_t i = safe; i < end; ++i) if (log[i].file == file) loose += log[i].bytes.size();
            for (std::size_t i = 0; i < end; ++i) {
                if (log[i].file != file || log[i].kind != Change::write) continue;
                const auto offset = log[i].offset, here = log[i].bytes.size();
                const auto half = i < safe ? here : std::min(here, std::max(done, loose / 2) - done);  // what of these is in the first half
                if (i >= safe) done += here;
                const auto from = i >= safe && bytes == 4 ? half : 0, to = i < safe || bytes >= 3 ? here : bytes == 1 ? half : 0;
                if (i >= safe && bytes == 2) whole.resize(std::max(whole.size(), offset + here));
                if (from >= to) continue;
                whole.resize(std::max(whole.size(), offset + to));
                whole.replace(offset + from, to - from, log[i].bytes, from, to - from);
            }
        }
        return all;
    }
};

}  // namespace tenon::test
