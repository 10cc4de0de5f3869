// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coproc::detail {

/// Makes whole lines, each with a name in front, of text that comes in pieces. Bounded: a line that
/// is too long comes out in parts, each a line of its own.
class line_tagger {
public:
    static constexpr std::size_t longest_line = 64 * 1024;

    explicit line_tagger(const std::string& name) : tag_{"[" + name + "] "} {}

    /// Appends to `out` what has become complete.
    void feed(std::string_view text, std::string& out);
    /// Appends the last line if it lacks its end.
    void finish(std::string& out);

private:
    void put(std::string_view end_of_line, std::string& out);

    std::string tag_;
    std::string begun_; // a line without its end so far
};

} // namespace coproc::detail
