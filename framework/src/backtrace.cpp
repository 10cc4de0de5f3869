// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/failure_info.hpp>

#include <mutex>

namespace coproc::detail {

struct backtrace_state {
    std::vector<backtrace_frame> frames;
    std::once_flag once;
    std::string text;
};

backtrace_data::backtrace_data(std::vector<backtrace_frame> frames) {
    if (frames.empty()) return;
    state_ = std::make_shared<backtrace_state>();
    state_->frames = std::move(frames);
}

backtrace_data::backtrace_data(std::string text) {
    if (text.empty()) return;
    state_ = std::make_shared<backtrace_state>();
    state_->text = std::move(text);
}

std::string backtrace_data::text() const { return state_ == nullptr ? std::string{} : state_->text; }

const std::vector<backtrace_frame>& backtrace_data::frames() const noexcept {
    static const auto& none = *new std::vector<backtrace_frame>;
    return state_ == nullptr ? none : state_->frames;
}

} // namespace coproc::detail
