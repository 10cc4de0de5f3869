// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/codec.hpp>

#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/forks.hpp>

#include <future>
#include <ios>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

enum class category_tag : std::uint8_t { generic, system, iostream, future, other };

category_tag tag_of(const std::error_category& category) noexcept {
    if (category == std::generic_category()) return category_tag::generic;
    if (category == std::system_category()) return category_tag::system;
    if (category == std::iostream_category()) return category_tag::iostream;
    if (category == std::future_category()) return category_tag::future;
    return category_tag::other;
}

/// Stands for a category of another process: its name, and the texts that came with its codes.
class distant_category final : public std::error_category {
public:
    explicit distant_category(std::string name) : name_{std::move(name)} {}

    const char* name() const noexcept override { return name_.c_str(); }
    std::string message(int value) const override;
    /// Under the lock of all.
    void learn(int value, std::string text) {
        if (texts_.size() < most_texts) texts_.insert_or_assign(value, std::move(text));
    }

private:
    static constexpr std::size_t most_texts = 4096;

    std::string name_;
    std::map<int, std::string> texts_;
};

/// Categories are compared by address, so there is one object for each name, and it is never
/// destroyed.
struct distant_categories {
    static constexpr std::size_t most_names = 1024;
    fork_mutex mutex;
    std::map<std::string, distant_category> known;
};

distant_categories& categories() {
    static auto& instance = *new distant_categories;
    return instance;
}

const made_before_main made_early{categories};

std::string distant_category::message(int value) const {
    const std::scoped_lock lock{categories().mutex};
    const auto found = texts_.find(value);
    return found != texts_.end() ? found->second : name_ + " error " + std::to_string(value);
}

const std::error_category& distant(const std::string& name, int value, std::string text) {
    auto& all = categories();
    const std::scoped_lock lock{all.mutex};
    auto found = all.known.find(name);
    if (found == all.known.end()) {
        if (all.known.size() == distant_categories::most_names) return std::generic_category();
        found = all.known.try_emplace(name, name).first;
    }
    found->second.learn(value, std::move(text));
    return found->second;
}

} // namespace

void reader::wait_for(std::size_t n) {
    if (n > left() || flow_ == nullptr) truncated();
    const auto before = static_cast<std::size_t>(at_ - begin_);
    const std::size_t size = before + left();
    const std::size_t there = flow_->wait_for(before + n);
    end_ = begin_ + there;
    later_ = size - there;
}

void about_to_fill(void* memory, std::size_t bytes) noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / page * page;
    // A wish: where it is not granted, everything is as it would have been.
    if (begin < end)
        static_cast<void>(
            ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE)); // NOLINT
}

void size_error_code(sizer& s, int value, const std::error_category& category) {
    s.bytes(1 + sizeof(std::int32_t));
    if (tag_of(category) != category_tag::other) return;
    size(s, std::string{category.name()});
    size(s, category.message(value));
}

void encode_error_code(writer& w, int value, const std::error_category& category) {
    const category_tag tag = tag_of(category);
    w.raw(tag);
    w.raw(static_cast<std::int32_t>(value));
    if (tag != category_tag::other) return;
    encode(w, std::string{category.name()});
    encode(w, category.message(value));
}

std::error_code decode_error_code(reader& r) {
    const auto tag = r.raw<category_tag>();
    const auto value = r.raw<std::int32_t>();
    switch (tag) {
    case category_tag::generic:
        return {value, std::generic_category()};
    case category_tag::system:
        return {value, std::system_category()};
    case category_tag::iostream:
        return {value, std::iostream_category()};
    case category_tag::future:
        return {value, std::future_category()};
    case category_tag::other: {
        const auto name = decode<std::string>(r);
        return {value, distant(name, value, decode<std::string>(r))};
    }
    }
    malformed();
}

} // namespace coproc::detail
