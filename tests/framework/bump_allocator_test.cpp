// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/bump_allocator.hpp>

#include "catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

using coproc::detail::bump_allocated;
using coproc::detail::bump_allocator;

namespace {

bool aligned(const void* at, std::size_t to = __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return reinterpret_cast<std::uintptr_t>(at) % to == 0;
}

/// An object's memory, filled with what says whose it is.
class filled {
public:
    filled(bump_allocator& by, std::size_t size, unsigned char with)
        : at_{by.allocate(size)}, size_{size}, with_{with} {
        std::memset(at_, with_, size_);
    }
    filled(filled&& other) noexcept
        : at_{std::exchange(other.at_, nullptr)}, size_{other.size_}, with_{other.with_} {}
    filled& operator=(filled&& other) noexcept {
        std::swap(at_, other.at_);
        std::swap(size_, other.size_);
        std::swap(with_, other.with_);
        return *this;
    }
    ~filled() {
        if (at_ != nullptr) bump_allocator::deallocate(at_);
    }
    [[nodiscard]] bool intact() const {
        const auto* const bytes = static_cast<const unsigned char*>(at_);
        for (std::size_t i = 0; i != size_; ++i)
            if (bytes[i] != with_) return false;
        return aligned(at_);
    }

private:
    void* at_;
    std::size_t size_;
    unsigned char with_;
};

struct base {
    base() = default;
    base(const base&) = delete;
    base& operator=(const base&) = delete;
    virtual ~base() = default;
    int value = 1;
};
template <std::size_t Size, std::size_t Alignment>
struct made : base, bump_allocated {
    alignas(Alignment) std::array<std::byte, Size> bytes{};
};

} // namespace

TEST_CASE("bump_allocator: objects do not overlap, whatever their size and end") {
    bump_allocator a;
    std::mt19937 random{1}; // NOLINT(cert-msc51-cpp): the same each time
    std::vector<filled> there;
    bool intact = true;
    for (unsigned i = 0; i != 5'000; ++i) {
        const std::size_t size = 1 + random() % bump_allocator::largest;
        there.emplace_back(a, size, static_cast<unsigned char>(i));
        if (there.size() > 100) {
            std::swap(there[random() % there.size()], there.back());
            intact = intact && there.back().intact();
            there.pop_back();
        }
    }
    CHECK(intact);
}

TEST_CASE("bump_allocator: one object at a time has one place") {
    bump_allocator a;
    void* const first = a.allocate(100);
    bump_allocator::deallocate(first);
    for (int i = 0; i != 100; ++i) {
        void* const again = a.allocate(200);
        CHECK(again == first);
        bump_allocator::deallocate(again);
    }
    SECTION("but not while it is there") {
        void* const kept = a.allocate(100);
        void* const other = a.allocate(100);
        CHECK(other != kept);
        bump_allocator::deallocate(kept);
        bump_allocator::deallocate(other);
    }
}

TEST_CASE("bump_allocator: objects may outlive it, and end on other threads") {
    static constexpr int count = 20'000;
    std::mutex mutex;
    std::vector<filled> handed;
    bool intact = true;
    bool all_made = false;
    std::thread other{[&] {
        for (bool last = false; !last;) {
            std::vector<filled> taken;
            {
                const std::scoped_lock lock{mutex};
                taken.swap(handed);
                last = all_made;
            }
            for (const auto& f : taken)
                intact = intact && f.intact();
        }
    }};
    {
        bump_allocator a;
        for (int i = 0; i != count; ++i) {
            filled f{a, 40 + static_cast<std::size_t>(i) % 300, static_cast<unsigned char>(i)};
            const std::scoped_lock lock{mutex};
            handed.push_back(std::move(f));
        }
    }
    {
        const std::scoped_lock lock{mutex};
        all_made = true;
    }
    other.join();
    CHECK(intact);
}

TEST_CASE("bump_allocated: classes of any size and alignment, through a base") {
    const auto check = []<std::size_t Size, std::size_t Alignment>(made<Size, Alignment>* at) {
        const std::unique_ptr<base> object{at};
        CHECK(aligned(at, Alignment));
        CHECK(object->value == 1);
    };
    check(new made<1, 1>);
    check(new made<200, 16>);
    check(new made<200, 64>);
    check(new made<480, 8>);
    check(new made<100'000, 8>);
    std::unique_ptr<base> left;
    std::thread{[&] { left = std::make_unique<made<10, 8>>(); }}.join();
    CHECK(left->value == 1);
}
