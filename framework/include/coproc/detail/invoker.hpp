// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a worker is asked to do: an invoker is a function instantiated for one kind of call. It is
// named on the wire by its module and offset (function_id.hpp), reads its callable and arguments,
// and writes the reply.

#include <coproc/detail/wire.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace coproc::detail {

/// A worker's side of one call or one chunk. Implemented by the worker loop of each remote backend.
class call_context {
public:
    explicit call_context(reader& in) noexcept : in_{in} {}
    call_context(const call_context&) = delete;
    call_context& operator=(const call_context&) = delete;

    /// Callable, then items, as the task encoded them.
    reader& in() noexcept { return in_; }

    /// Publishes which item (index within the chunk) runs from now on, so that a death is blamed on
    /// the right one.
    virtual void begin_item(std::uint32_t index) noexcept = 0;

    /// The same, for loops.
    void next_item(std::uint32_t index) noexcept {
        if (item_ != nullptr)
            item_->store(index, std::memory_order_release);
        else
            begin_item(index);
    }

    /// Space for a reply of exactly `size` bytes and `descriptors` descriptors; then write all
    /// of it. Called again, it starts anew. The reply is sent when the invoker returns. An invoker
    /// that throws instead has failed as a whole.
    virtual writer& reply(std::size_t size, std::size_t descriptors) = 0;

    /// Keeps what owns the reply's descriptors until this context ends, which is after the reply
    /// was sent.
    void keep(std::shared_ptr<void> owner) { kept_.push_back(std::move(owner)); }

protected:
    ~call_context() = default;

    /// Storing the index there is all that begin_item() does.
    void publish_items_in(std::atomic<std::uint32_t>& item) noexcept { item_ = &item; }

private:
    std::atomic<std::uint32_t>* item_ = nullptr;
    reader& in_;
    std::vector<std::shared_ptr<void>> kept_;
};

using invoker = void (*)(call_context&);

} // namespace coproc::detail
