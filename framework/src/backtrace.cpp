// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/backtrace.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/made_once.hpp>
#include <coproc/detail/module_map.hpp>

#include <algorithm>
#include <mutex>
#include <unwind.h>
#include <utility>

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

std::string backtrace_data::text() const {
    if (state_ == nullptr) return {};
    std::call_once(state_->once, [this] {
        if (state_->text.empty()) state_->text = symbolize(state_->frames);
    });
    return state_->text;
}

const std::vector<backtrace_frame>& backtrace_data::frames() const noexcept {
    static constinit made_once<std::vector<backtrace_frame>> none;
    return state_ != nullptr ? state_->frames
                             : none.get([] { return std::vector<backtrace_frame>{}; });
}

namespace {

struct unwinding {
    std::span<void*> out;
    std::size_t count = 0;
    bool own = true;
};

_Unwind_Reason_Code step(_Unwind_Context* context, void* to) {
    auto& u = *static_cast<unwinding*>(to);
    int before = 0;
    const auto address = _Unwind_GetIPInfo(context, &before);
    if (std::exchange(u.own, false)) return _URC_NO_REASON;
    if (address == 0 || u.count == u.out.size()) return _URC_END_OF_STACK;
    // A return address may already be of the next line, or even of the next function.
    u.out[u.count++] = reinterpret_cast<void*>(before != 0 ? address : address - 1);
    return _URC_NO_REASON;
}

constexpr std::size_t most_frames = 1024;

} // namespace

[[gnu::noinline]] std::size_t unwind(std::span<void*> out) noexcept {
    unwinding u{out};
    _Unwind_Backtrace(&step, &u);
    return u.count;
}

backtrace_data to_backtrace(std::span<void* const> addresses) {
    std::vector<backtrace_frame> frames;
    frames.reserve(addresses.size());
    for (void* const address : addresses) {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        const auto module = module_of(at);
        if (module == nullptr)
            frames.push_back({"?", at});
        else
            frames.push_back({module->path, at - module->base});
    }
    return backtrace_data{std::move(frames)};
}

// u32 count, then frames; a text that came ready when there are none.

void size_backtrace(sizer& s, const backtrace_data& trace) {
    s.bytes(sizeof(std::uint32_t));
    const auto& frames = trace.frames();
    for (std::size_t i = 0; i != std::min(frames.size(), most_frames); ++i) {
        size(s, frames[i].module);
        size(s, frames[i].offset);
    }
    if (frames.empty()) size(s, trace.text());
}

void encode_backtrace(writer& w, const backtrace_data& trace) {
    const auto& frames = trace.frames();
    const std::size_t count = std::min(frames.size(), most_frames);
    w.raw(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i != count; ++i) {
        encode(w, frames[i].module);
        encode(w, frames[i].offset);
    }
    if (count == 0) encode(w, trace.text());
}

backtrace_data decode_backtrace(reader& r) {
    const auto count = r.raw<std::uint32_t>();
    if (count == 0) return backtrace_data{decode<std::string>(r)};
    if (count > most_frames) malformed();
    std::vector<backtrace_frame> frames;
    for (std::uint32_t i = 0; i != count; ++i) {
        auto module = decode<std::string>(r);
        frames.push_back({std::move(module), decode<std::uint64_t>(r)});
    }
    return backtrace_data{std::move(frames)};
}

} // namespace coproc::detail
