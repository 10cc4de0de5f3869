// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The results of a chunk between the calls and the reply. A result that cannot be encoded is the
// failure of its item, so the number of good results is known only when all have been sized, or
// even encoded.

#include <coproc/codec.hpp>
#include <coproc/detail/invoker.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// A vector without vector<bool>'s peculiarity, and of types that can only be made and moved.
template <class R>
class result_buffer {
public:
    /// Makes room for all results at once unless they are much larger than the items they come
    /// from.
    result_buffer(std::uint32_t expected, const reader& items) {
        reserve(std::min<std::size_t>(expected, 65536 / sizeof(R) + items.left() / sizeof(R)));
    }
    result_buffer(result_buffer&& other) noexcept
        : begin_{std::exchange(other.begin_, nullptr)},
          size_{std::exchange(other.size_, 0)},
          capacity_{std::exchange(other.capacity_, 0)} {}
    result_buffer& operator=(result_buffer&&) = delete;
    ~result_buffer() {
        std::destroy_n(begin_, size_);
        if (begin_ != nullptr) std::allocator<R>{}.deallocate(begin_, capacity_);
    }

    template <class Make>
    void add(Make&& make) {
        if (size_ == capacity_) reserve(std::max<std::size_t>(16, 2 * capacity_));
        ::new (static_cast<void*>(begin_ + size_)) R(make());
        ++size_;
    }

    [[nodiscard]] const R* data() const noexcept { return begin_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    void reserve(std::size_t capacity) {
        if (capacity <= capacity_) return;
        R* more = std::allocator<R>{}.allocate(capacity);
        std::uninitialized_move_n(begin_, size_, more);
        std::destroy_n(begin_, size_);
        if (begin_ != nullptr) std::allocator<R>{}.deallocate(begin_, capacity_);
        begin_ = more;
        capacity_ = capacity;
    }

    R* begin_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

template <>
class result_buffer<void> {
public:
    result_buffer(std::uint32_t, const reader&) noexcept {}
    void add() noexcept { ++size_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_ = 0;
};

/// What `encoded_results` does when size or encode throws for a result: the results before it stay,
/// `error` becomes that exception, which is the lower item's.
template <class R>
class encoded_results;

template <>
class encoded_results<void> {
public:
    encoded_results(result_buffer<void>&& results, call_context&, std::exception_ptr&) noexcept
        : count_{results.size()} {}
    [[nodiscard]] std::uint32_t count() const noexcept {
        return static_cast<std::uint32_t>(count_);
    }
    [[nodiscard]] std::size_t size() const noexcept { return 0; }
    [[nodiscard]] std::size_t descriptors() const noexcept { return 0; }
    void keep_owners(call_context&) noexcept {}
    void write(writer&, call_context&) noexcept {}

private:
    std::size_t count_;
};

/// Fixed: nothing can go wrong and nothing needs to be measured.
template <class R>
    requires(fixed_size<R> != variable)
class encoded_results<R> {
public:
    encoded_results(result_buffer<R>&& results, call_context&, std::exception_ptr&) noexcept
        : results_{std::move(results)} {}
    [[nodiscard]] std::uint32_t count() const noexcept {
        return static_cast<std::uint32_t>(results_.size());
    }
    [[nodiscard]] std::size_t size() const noexcept { return results_.size() * fixed_element<R>; }
    [[nodiscard]] std::size_t descriptors() const noexcept { return 0; }
    void keep_owners(call_context&) noexcept {}
    void write(writer& w, call_context&) {
        if constexpr (is_bits<R>) {
            w.bytes(results_.data(), results_.size() * sizeof(R));
        } else {
            std::byte* to = w.claim(size());
            for (std::size_t i = 0; i != results_.size(); ++i, to += fixed_element<R>) {
                if constexpr (element_padding<R> != 0)
                    *to = std::byte{};
                else
                    codec_for<R>::put(to, results_.data()[i]);
            }
        }
    }

private:
    result_buffer<R> results_;
};

/// Those that can fail only while they are sized are encoded straight into the reply.
template <class R>
    requires(fixed_size<R> == variable && encodes_surely<R>)
class encoded_results<R> {
public:
    encoded_results(result_buffer<R>&& results, call_context& call, std::exception_ptr& error)
        : results_{std::move(results)} {
        for (; count_ != results_.size(); ++count_) {
            call.begin_item(count_); // a crash in here is this item's
            try {
                sizer s;
                size_element<R>(s, results_.data()[count_]);
                size_ += s.size();
            } catch (...) {
                error = std::current_exception();
                break;
            }
        }
    }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t descriptors() const noexcept { return 0; }
    void keep_owners(call_context&) noexcept {}
    void write(writer& w, call_context& call) {
        for (std::uint32_t i = 0; i != count_; ++i) {
            call.begin_item(i);
            encode_element<R>(w, results_.data()[i]);
        }
    }

private:
    result_buffer<R> results_;
    std::uint32_t count_ = 0;
    std::size_t size_ = 0;
};

/// Others are encoded beforehand, one by one: into memory of our own, since the reply's is claimed
/// but once.
template <class R>
class encoded_results {
public:
    encoded_results(result_buffer<R>&& results, call_context& call, std::exception_ptr& error) {
        auto kept = std::make_unique<result_buffer<R>>(std::move(results));
        for (; count_ != kept->size(); ++count_) {
            const R& result = kept->data()[count_];
            call.begin_item(count_); // a crash in here is this item's
            const std::size_t bytes = bytes_.size();
            const std::size_t descriptors = descriptors_.size();
            try {
                sizer s;
                size_element<R>(s, result);
                grow(bytes + s.size());
                writer w{std::span{bytes_}.subspan(bytes), &descriptors_};
                encode_element<R>(w, result);
            } catch (...) {
                bytes_.resize(bytes);
                descriptors_.resize(descriptors);
                error = std::current_exception();
                break;
            }
        }
        if (!descriptors_.empty()) owners_ = std::move(kept);
    }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] std::size_t descriptors() const noexcept { return descriptors_.size(); }
    void keep_owners(call_context& call) {
        if (owners_ != nullptr) call.keep(std::move(owners_));
    }
    void write(writer& w, call_context&) {
        w.bytes(bytes_.data(), bytes_.size());
        for (const int fd : descriptors_)
            w.descriptor(fd);
    }

private:
    void grow(std::size_t size) {
        if (size > bytes_.capacity()) bytes_.reserve(std::max(size, 2 * bytes_.capacity()));
        bytes_.resize(size);
    }

    std::uint32_t count_ = 0;
    std::vector<std::byte> bytes_;
    std::vector<int> descriptors_;
    std::shared_ptr<result_buffer<R>> owners_;
};

} // namespace coproc::detail
