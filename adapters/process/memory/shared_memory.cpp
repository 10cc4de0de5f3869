// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/shared_memory.hpp>

#include <coproc/error.hpp>
#include <os/limits.hpp>

#include <cerrno>
#include <cstring>
#include <memory/memory_name.hpp>
#include <shared/object.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace coproc {
namespace detail {

class memory_object final : public shared::object {
public:
    memory_object(std::string_view name, std::size_t size)
        : object{shared::create_tag{.what = shared::kind::memory, .extra = size}} {
        auto& w = state<words>();
        w.size.store(size);
        w.name_size = static_cast<std::uint32_t>(name.size());
        std::memcpy(w.name, name.data(), name.size());
    }
    explicit memory_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::memory}} {}

    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return {extra(), static_cast<std::size_t>(state<words>().size.load())};
    }
    [[nodiscard]] std::string_view name() const noexcept {
        const auto& w = state<words>();
        return {w.name, w.name_size};
    }
    /// False if it was so already.
    bool withdraw() noexcept { return state<words>().withdrawn.exchange(1) == 0; }
    [[nodiscard]] bool withdrawn() const noexcept { return state<words>().withdrawn.load() != 0; }

private:
    struct words {
        shared::word64 size;
        shared::word32 withdrawn; // the name is to go, or has gone
        std::uint32_t name_size;
        char name[128];
    };
};

} // namespace detail

shared_memory shared_memory::create(std::string_view name, std::size_t size) {
    detail::check_memory_name(name);
    if (size == 0) throw std::invalid_argument{"coproc: shared memory of no bytes"};
    constexpr std::size_t large = std::size_t{64} << 20;
    if (size >= large && size > detail::os::available_memory())
        throw std::length_error{"coproc: shared memory of " + std::to_string(size) +
                                " bytes does not fit into the memory that is left"};
    shared_memory result;
    result.block_ = detail::shared::create<detail::memory_object>(name, size);
    // Only the memory, so that the name does not keep the object.
    std::weak_ptr<detail::memory_object> block = result.block_;
    result.owned_ =
        detail::memory_name::take(name, result.block_->descriptor(), [block = std::move(block)] {
            const auto alive = block.lock();
            return alive == nullptr || alive->withdrawn();
        });
    return result;
}

shared_memory shared_memory::open(std::string_view name) {
    auto memory = detail::ask_for_memory(name);
    if (!memory)
        throw std::system_error{ENOENT, std::generic_category(),
                                "coproc: there is no shared memory of the name \"" +
                                    std::string{name} + "\" any more"};
    shared_memory result;
    result.block_ = detail::shared::adopt<detail::memory_object>(std::move(memory));
    return result;
}

std::span<std::byte> shared_memory::bytes() const noexcept {
    return block_ == nullptr ? std::span<std::byte>{} : block_->bytes();
}

std::string shared_memory::name() const {
    return block_ == nullptr ? std::string{} : std::string{block_->name()};
}

void shared_memory::unlink() const {
    if (block_ == nullptr || !block_->withdraw()) return;
    if (owned_ != nullptr) {
        owned_->give_up();
        return;
    }
    // The owner looks when somebody asks; the answer comes when it has.
    try {
        static_cast<void>(detail::ask_for_memory(block_->name()));
    } catch (const std::system_error&) {
        // It has gone already.
    }
}

void codec<shared_memory>::size(detail::sizer& s, const shared_memory& memory) {
    s.bytes(1);
    if (memory.block_ != nullptr) s.descriptor();
}

void codec<shared_memory>::encode(detail::writer& w, const shared_memory& memory) {
    w.raw(static_cast<std::uint8_t>(memory.block_ != nullptr ? 1 : 0));
    if (memory.block_ != nullptr) w.descriptor(memory.block_->descriptor());
}

shared_memory codec<shared_memory>::decode(detail::reader& r) {
    shared_memory result;
    if (r.raw<std::uint8_t>() == 0) return result;
    result.block_ =
        detail::shared::adopt<detail::memory_object>(detail::os::unique_fd{r.descriptor()});
    return result;
}

} // namespace coproc
