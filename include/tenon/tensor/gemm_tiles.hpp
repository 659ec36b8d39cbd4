// The inner loops of matrix products, compiled for each kind of machine.
#pragma once
#include "machine.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace tenon::gemm {

/// What else becomes of sums: scaled and shifted by column, added to another matrix that lies as c does, and no less than a floor. What is null is not there.
template <class T> struct Finish {
    const T *scale = nullptr, *offset = nullptr, *beside = nullptr;
    T floor = -std::numeric_limits<T>::infinity();
};
/// Where a tile of the result goes: c = alpha sum, or c += alpha sum.
template <class T> struct Into {
    T* c;
    std::int64_t stride;
    int rows, columns;
    T alpha;
    bool adds;
    const Finish<T>* finish = nullptr;  ///< with the pointers of this tile
};
/// What the next tile reads from far away: each step of k asks for one line of memory, `lines` side by side and then `step` elements further.
template <class T> struct Ahead {
    const T* at = nullptr;
    std::int64_t step = 0, lines = 1;
};
/// A factor a whose columns lie side by side: k of them `step` elements apart, and that for each of `runs`, `run` apart. All rows of a tile are read.
/// b has `b_gap` elements that no run multiplies between what two of them do.
template <class T> struct Columns {
    const T* a;
    std::int64_t step, k, runs = 1, run = 0, b_gap = 0;
    Ahead<T> ahead{};
};
/// The same where rows do, `row` elements apart: each is `runs` runs of elements side by side, `run` apart. A run is k[0] elements that the first two
/// rows of the tile pass over, k[1] that the first does, k[2] for all rows, k[3] that the last passes over and k[4] that the last two do.
template <class T> struct Runs {
    const T* a;
    std::int64_t row, runs, run, k[5];
    Ahead<T> ahead{};  ///< of one line
};
/// b holds one row after the other, at least as wide as the tile, for all of the k of all runs.
template <class T> using Tile = void (*)(const Columns<T>& from, const T* b, std::int64_t b_step, const Into<T>& to);
template <class T> using TileOfRuns = void (*)(const Runs<T>& from, const T* b, std::int64_t b_step, const Into<T>& to);
template <class T> using PackingTile = void (*)(const Columns<T>& from, const T* b, std::int64_t b_step, T* packed, const Into<T>& to);
template <class T> struct Tiles {
    int rows, few, lanes;  ///< of the two heights of tile; elements per register
    Tile<T> tile[2][2];    ///< [0: `rows` high, 1: `few`][0: one register wide, 1: two]
    PackingTile<T> packing_tile[2];  ///< two registers wide, [0: `rows` high, 1: `few`]; of one run
    void (*finish)(const T* sum, std::int64_t stride, const Into<T>& to);
    void (*pack_rows)(T* to, std::int64_t width, const T* b, std::int64_t stride, std::int64_t columns, std::int64_t k, std::int64_t readable);
    void (*pack_transposed)(T* to, std::int64_t height, const T* a, std::int64_t stride, std::int64_t rows, std::int64_t k);
    void (*add_rows)(T* c, std::int64_t n, const T* x, std::int64_t x_step, std::int64_t k, const T* b, std::int64_t b_step, T alpha, bool adds);
    void (*add_dots)(T* c, std::int64_t n, const T* x, std::int64_t k, const T* b, std::int64_t b_step, T alpha, bool adds);
};
/// What convolutions need beyond, apart since it is as much again to compile.
template <class T> struct RunTiles {
    TileOfRuns<T> tile_of_runs[2][2];  ///< [0: Tiles::rows high, 1: half as high][0: one register wide, 1: two]
    Tile<T> tile[2];                   ///< half as high
};

namespace portable {
inline constexpr int vector_bytes = 16;
#include "gemm_tiles.inc"
}  // namespace portable

#if defined(__x86_64__)
#include "begin_avx2.inc"
namespace avx2 {
inline constexpr int vector_bytes = 32;
#include "gemm_tiles.inc"
}  // namespace avx2
#include "end_target.inc"
#include "begin_avx512.inc"
namespace avx512 {
inline constexpr int vector_bytes = 64;
#include "gemm_tiles.inc"
}  // namespace avx512
#include "end_target.inc"
#endif

/// 32 registers hold 14 by 2 sums, 16 hold 6 by 2. Eight sums at least are added to in turn, since an addition takes as long as eight begin in.
template <class T> const Tiles<T>& tiles_for([[maybe_unused]] Machine m) {
#if defined(__x86_64__)
    if (m == Machine::avx512) return avx512::tiles<T, 14, 8>;
    if (m == Machine::avx2) return avx2::tiles<T, 6, 4>;
    return portable::tiles<T, 6, 6>;  // one height: such machines are few, and every program compiles their tiles
#else
    return portable::tiles<T, 6, 4>;
#endif
}
template <class T> const RunTiles<T>& run_tiles_for([[maybe_unused]] Machine m) {
#if defined(__x86_64__)
    if (m == Machine::avx512) return avx512::run_tiles<T, 14>;
    if (m == Machine::avx2) return avx2::run_tiles<T, 6>;
#endif
    return portable::run_tiles<T, 6>;
}

}  // namespace tenon::gemm
