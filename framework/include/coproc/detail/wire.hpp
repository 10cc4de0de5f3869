// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The bytes between two processes: a writer into memory whose size was computed beforehand, a
// reader that checks every length against what is left. Descriptors travel beside the bytes, in
// order.

#include <coproc/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// Descriptors that accompany a message. The sender borrows them, the receiver owns them.
class descriptor_source {
public:
    virtual ~descriptor_source() = default;
    /// The next descriptor of the message; the caller owns it. Throws serialization_error when
    /// there is none left.
    virtual int take_descriptor() = 0;
    /// What came by a descriptor and may come again: it may be kept for a while.
    virtual void keep(std::shared_ptr<void> /*object*/) noexcept {}
    /// What was kept of an earlier message, in place of the next descriptor, which then counts as
    /// taken. Null: take the descriptor.
    [[nodiscard]] virtual std::shared_ptr<void> take_kept() noexcept { return nullptr; }
};

/// Where the bytes of a message come from that is read while it is still being written.
class inflow {
public:
    virtual ~inflow() = default;
    /// Waits until at least `least` bytes of the message are there, and says how many are. Throws
    /// serialization_error when the sender has given it up.
    virtual std::size_t wait_for(std::size_t least) = 0;
};

/// Where large values go in a message that may be read while it is still being written.
class outflow {
public:
    virtual ~outflow() = default;
    /// Copies n bytes to where they belong in the message; the receiver may read those that are
    /// there.
    virtual void copy(std::byte* to, const void* from, std::size_t n) = 0;
};

/// A level of a value that contains values of its own type: bounded, so that garbage cannot
/// overflow the stack.
class nesting {
public:
    static constexpr unsigned limit = 2000;

    explicit nesting(unsigned& depth) : depth_{depth} {
        if (depth == limit)
            throw serialization_error{"coproc: a value is nested deeper than 2000 levels"};
        ++depth_;
    }
    ~nesting() { --depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

private:
    unsigned& depth_;
};

/// First pass: how many bytes and descriptors a value needs. No allocation, no limit.
class sizer {
public:
    void bytes(std::size_t n) noexcept { size_ += n; }
    void descriptor() noexcept { ++descriptors_; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t descriptors() const noexcept { return descriptors_; }

    /// See reader::nested; the sender is told first.
    auto nested() { return nesting{depth_}; }

private:
    std::size_t size_ = 0;
    std::size_t descriptors_ = 0;
    unsigned depth_ = 0;
};

/// Second pass: writes into memory of the size the first pass found. A value that changed between
/// the two passes (another thread wrote to it) is refused rather than written past the end.
class writer {
public:
    /// So many bytes in a row are worth being read before they are all there.
    static constexpr std::size_t flowing = 256 * 1024;

    explicit writer(std::span<std::byte> out, std::vector<int>* descriptors = nullptr,
                    std::uint64_t* last_number = nullptr) noexcept
        : at_{out.data()},
          end_{out.data() + out.size()},
          begin_{out.data()},
          descriptors_{descriptors},
          last_number_{last_number} {}

    void bytes(const void* from, std::size_t n) {
        std::byte* to = reserve(n);
        if (n >= flowing && flow_ != nullptr)
            flow_->copy(to, from, n);
        else if (n != 0)
            std::memcpy(to, from, n);
    }
    /// From here on; null: no longer.
    void flow_through(outflow* flow) noexcept { flow_ = flow; }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    void raw(const T& value) {
        std::memcpy(reserve(sizeof(T)), &value, sizeof(T));
    }

    /// The next n bytes, for the caller to fill before it writes others: these may be read then.
    [[nodiscard]] std::byte* claim(std::size_t n) { return reserve(n); }

    /// The descriptor stays the caller's; it must be open until the message has been sent.
    /// `number`: the same for the same file, if the receiver may have kept it (reader::keep).
    void descriptor(int fd, std::uint64_t number = 0) {
        if (descriptors_ == nullptr)
            throw serialization_error{"coproc: this message cannot carry a descriptor (a handle "
                                      "was sent where only values can go)"};
        descriptors_->push_back(fd);
        if (last_number_ != nullptr) *last_number_ = number;
    }

    [[nodiscard]] std::size_t written() const noexcept {
        return static_cast<std::size_t>(at_ - begin_);
    }
    [[nodiscard]] std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - at_); }

private:
    std::byte* reserve(std::size_t n) {
        if (n > room())
            throw serialization_error{"coproc: a value grew while it was being encoded (is another "
                                      "thread writing to it?)"};
        std::byte* to = at_;
        at_ += n;
        return to;
    }

    std::byte* at_;
    std::byte* end_;
    std::byte* begin_;
    std::vector<int>* descriptors_;
    std::uint64_t* last_number_;
    outflow* flow_ = nullptr;
};

/// Reads what a writer wrote; every length is checked against what is left before it is used.
class reader {
public:
    explicit reader(std::span<const std::byte> in,
                    descriptor_source* descriptors = nullptr) noexcept
        : at_{in.data()}, end_{in.data() + in.size()}, descriptors_{descriptors} {}
    /// A message of which only the first `there` bytes can be read yet.
    reader(std::span<const std::byte> in, descriptor_source* descriptors, std::size_t there,
           inflow& flow) noexcept
        : at_{in.data()},
          end_{in.data() + there},
          descriptors_{descriptors},
          begin_{in.data()},
          later_{in.size() - there},
          flow_{&flow} {}

    const std::byte* bytes(std::size_t n) {
        if (n > at_hand()) wait_for(n);
        const std::byte* from = at_;
        at_ += n;
        return from;
    }
    /// Of the next `n` bytes, in multiples of `unit`, those that are there, but at least one unit:
    /// to be done with them while the rest is on its way. (All of them, mostly.)
    std::span<const std::byte> some(std::size_t n, std::size_t unit) {
        if (n > at_hand()) {
            if (unit > at_hand()) wait_for(unit);
            n = std::min(n, at_hand() / unit * unit);
        }
        return {bytes(n), n};
    }

    /// Waits for the rest of a message that may still be given up: before anything is done that
    /// should not be done then.
    void require_whole() {
        if (flow_ != nullptr) wait_for(left());
    }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    T raw() {
        alignas(T) std::byte storage[sizeof(T)];
        std::memcpy(storage, bytes(sizeof(T)), sizeof(T));
        return *std::launder(reinterpret_cast<T*>(storage));
    }

    /// An element count that was sent as 64 bits: refused when even elements of `least` bytes
    /// cannot be there.
    std::size_t count(std::size_t least) {
        const auto n = raw<std::uint64_t>();
        if (least != 0 && n > left() / least) truncated();
        return static_cast<std::size_t>(n);
    }

    int descriptor() {
        if (descriptors_ == nullptr)
            throw serialization_error{"coproc: a message came without the descriptor it names"};
        return descriptors_->take_descriptor();
    }
    void keep(std::shared_ptr<void> object) noexcept {
        if (descriptors_ != nullptr) descriptors_->keep(std::move(object));
    }
    [[nodiscard]] std::shared_ptr<void> take_kept() noexcept {
        return descriptors_ != nullptr ? descriptors_->take_kept() : nullptr;
    }

    /// Those that are still on their way included.
    [[nodiscard]] std::size_t left() const noexcept { return at_hand() + later_; }

    /// Held while the parts of a value are read that may contain values of the same type.
    auto nested() { return nesting{depth_}; }

private:
    [[nodiscard]] std::size_t at_hand() const noexcept {
        return static_cast<std::size_t>(end_ - at_);
    }
    /// Has n bytes at hand, or throws.
    void wait_for(std::size_t n);
    [[noreturn]] static void truncated() {
        throw serialization_error{
            "coproc: a message is shorter than it says (truncated, or made by another build)"};
    }

    const std::byte* at_;
    const std::byte* end_; // of what is there
    descriptor_source* descriptors_;
    const std::byte* begin_ = nullptr; // of a message that flows
    std::size_t later_ = 0;            // bytes behind the end
    inflow* flow_ = nullptr;
    unsigned depth_ = 0;
};

} // namespace coproc::detail
