// What the system says of this process's memory. Linux.
#pragma once
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace tenon::test {

/// The file that is mapped at an address; "" if none is.
inline std::string file_at(const void* address) {
    std::ifstream maps("/proc/self/maps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream row(line);
        std::uintptr_t begin = 0, end = 0;
        char dash = 0;
        std::string rights, offset, device, inode, path;
        row >> std::hex >> begin >> dash >> end >> rights >> offset >> device >> inode >> path;
        if (begin <= wanted && wanted < end) return path.starts_with('/') ? path : "";
    }
    return "";
}
/// KiB in memory at once since `forget_peak`.
inline long peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    return 0;
}
inline void forget_peak() {
    if (!(std::ofstream("/proc/self/clear_refs") << "5" << std::flush)) throw std::runtime_error("/proc/self/clear_refs cannot be written");
}

}  // namespace tenon::test
