// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/shared_memory.hpp>

#include <coproc/detail/memory_name_rule.hpp>
#include <coproc/dummy/shared_array.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>

namespace coproc {
namespace detail::threads {

void beyond_array(std::size_t index, std::size_t size) {
    throw std::out_of_range{"coproc: element " + std::to_string(index) + " of a shared_array of " +
                            std::to_string(size)};
}

void beyond_memory(std::size_t elements) {
    throw std::length_error{"coproc: a shared_array of " + std::to_string(elements) +
                            " elements does not fit into the memory that is left"};
}

struct memory_block {
    static constexpr std::align_val_t alignment{64};

    memory_block(std::string_view n, std::size_t s)
        : name{n}, size{s}, bytes{static_cast<std::byte*>(::operator new(s, alignment))} {
        std::memset(bytes, 0, s);
    }
    memory_block(const memory_block&) = delete;
    memory_block& operator=(const memory_block&) = delete;
    ~memory_block() { ::operator delete(bytes, alignment); }

    const std::string name;
    const std::size_t size;
    std::byte* const bytes;
};

namespace {

struct name_table {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<memory_block>, std::less<>> blocks;

    void forget(const memory_block& block) noexcept {
        const std::scoped_lock lock{mutex};
        // Another may have been created under the name since.
        if (const auto at = blocks.find(block.name);
            at != blocks.end() && at->second.lock().get() == &block)
            blocks.erase(at);
    }
};

/// Leaked: handles may be static too.
name_table& names() {
    static auto* const table = new name_table;
    return *table;
}

[[noreturn]] void refuse(int error, const char* what, std::string_view name) {
    throw std::system_error{error, std::generic_category(),
                            "coproc: " + std::string{what} + " \"" + std::string{name} + '"'};
}

std::shared_ptr<memory_block> new_block(std::string_view name, std::size_t size) {
    try {
        // Rounding up to the alignment must not wrap around.
        if (size > std::numeric_limits<std::ptrdiff_t>::max()) throw std::bad_alloc{};
        return std::make_shared<memory_block>(name, size);
    } catch (const std::bad_alloc&) {
        throw std::length_error{"coproc: shared memory of " + std::to_string(size) +
                                " bytes does not fit into the memory that is left"};
    }
}

} // namespace

struct memory_name {
    explicit memory_name(std::shared_ptr<memory_block> b) noexcept : block{std::move(b)} {}
    memory_name(const memory_name&) = delete;
    memory_name& operator=(const memory_name&) = delete;
    ~memory_name() { names().forget(*block); }

    const std::shared_ptr<memory_block> block;
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

shared_memory shared_memory::create(std::string_view name, std::size_t size) {
    detail::check_memory_name(name);
    if (size == 0) throw std::invalid_argument{"coproc: shared memory of no bytes"};
    shared_memory made;
    made.block_ = new_block(name, size);
    auto owned = std::make_shared<const memory_name>(made.block_);
    const std::scoped_lock lock{names().mutex};
    if (!names().blocks.try_emplace(made.block_->name, made.block_).second)
        refuse(EEXIST, "there is shared memory of the name", name);
    made.owned_ = std::move(owned);
    return made;
}

shared_memory shared_memory::open(std::string_view name) {
    detail::check_memory_name(name);
    shared_memory found;
    {
        const std::scoped_lock lock{names().mutex};
        if (const auto at = names().blocks.find(name); at != names().blocks.end())
            found.block_ = at->second.lock();
    }
    if (found.block_ == nullptr) refuse(ENOENT, "there is no shared memory of the name", name);
    return found;
}

std::span<std::byte> shared_memory::bytes() const noexcept {
    if (block_ == nullptr) return {};
    return {block_->bytes, block_->size};
}

const std::string& shared_memory::name() const noexcept {
    static const std::string none;
    return block_ != nullptr ? block_->name : none;
}

void shared_memory::unlink() const noexcept {
    if (block_ != nullptr) names().forget(*block_);
}

} // namespace dummy
} // namespace coproc
