// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A vector of 64 MB there and back. The speed counts both ways.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <cstdlib>
#include <string>

namespace {

constexpr std::size_t bytes = std::size_t{64} << 20U;

std::vector<std::uint8_t> echo(std::vector<std::uint8_t> data) { return data; }
char touch(const coproc::shared_array<char>& array) { return array[array.size() - 1]; }

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    if (!arguments.wants("process.echo_64mb") && !arguments.wants("process.shared_array_64mb"))
        return 0;
    coproc::pool pool{1};
    std::vector<std::uint8_t> data(bytes, 7);
    const double ns = measure::median_of(arguments.quick ? 5 : 15, [&] {
        return measure::timed([&] { data = pool.apply(echo, std::move(data)); });
    });
    if (data.size() != bytes || data[bytes / 2] != 7) std::abort();
    measure::report("process.echo_64mb", 2.0 * static_cast<double>(bytes) / ns, "GB/s");

    // The same much as an argument that is not copied.
    const coproc::shared_array<char> shared{bytes};
    std::vector<double> samples;
    for (int i = 0; i < arguments.count(2000); ++i)
        samples.push_back(measure::timed([&] { pool.apply(touch, shared); }));
    measure::report("process.shared_array_64mb", measure::median(std::move(samples)), "ns");
}
