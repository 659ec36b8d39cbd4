// What cold_start cannot do without: it reads the same files whole, checks a checksum over the tensor, adds, multiplies and prints. Nothing is parsed.
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: cold_floor FOLDER\n", 1;
    std::array<std::string, 4> files;
    std::size_t k = 0, bytes = 0;
    for (const char* name : {"checkpoint", "my_test_model-1000.meta", "my_test_model-1000.index", "my_test_model-1000.data-00000-of-00001"}) {
        std::ifstream in(std::string(argv[1]) + "/" + name, std::ios::binary);
        files[k].assign(std::istreambuf_iterator<char>(in), {});
        bytes += files[k++].size();
    }
    if (files[3].size() < sizeof(float)) return std::cerr << "no checkpoint in " << argv[1] << '\n', 1;
    std::uint32_t crc = ~0u;
    for (const char c : files[3]) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0x82F63B78u & -(crc & 1));
    }
    float bias;
    std::memcpy(&bias, files[3].data(), sizeof bias);
    std::cout << (13.f + 17.f) * bias << '\n';
    return crc == 0 && bytes == 0;
}
