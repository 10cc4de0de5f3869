// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/line_tagger.hpp>

namespace coproc::detail {

void line_tagger::put(std::string_view end_of_line, std::string& out) {
    out += tag_;
    out += begun_;
    out += end_of_line;
    out += '\n';
    begun_.clear();
}

void line_tagger::feed(std::string_view text, std::string& out) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        const std::size_t room = longest_line - begun_.size();
        if (line.size() > room) {
            put(line.substr(0, room), out);
            text.remove_prefix(room);
        } else if (end == std::string_view::npos) {
            begun_ += line;
            return;
        } else {
            put(line, out);
            text.remove_prefix(end + 1);
        }
    }
}

void line_tagger::finish(std::string& out) {
    if (!begun_.empty()) put({}, out);
}

} // namespace coproc::detail
