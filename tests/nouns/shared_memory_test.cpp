// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

using namespace coproc_test;

namespace {

/// Of this test alone, also beside another run of it.
std::string own_name(const std::string& what) {
    return "coproc-test-" + std::to_string(::getpid()) + "-" + what;
}

template <class Call>
int error_of(Call&& call) {
    const auto error = thrown<std::system_error>(std::forward<Call>(call));
    return error ? error->code().value() : 0;
}

} // namespace

TEMPLATE_TEST_CASE("shared_memory: created under a name, opened by it", "",
                   SHARED_MEMORY_VOCABULARIES) {
    using memory = typename TestType::shared_memory;
    const auto name = own_name("open");
    const auto made = memory::create(name, 100);
    CHECK(made.name() == name);
    REQUIRE(made.size() >= 100);
    CHECK(made.bytes().size() == made.size());
    CHECK(std::ranges::all_of(made.bytes(), [](std::byte b) { return b == std::byte{0}; }));
    const auto opened = memory::open(name);
    CHECK(opened.name() == name);
    CHECK(opened.size() == made.size());
    made.bytes()[99] = std::byte{7};
    CHECK(opened.bytes()[99] == std::byte{7});
    opened.bytes()[0] = std::byte{8};
    CHECK(made.bytes()[0] == std::byte{8});
    CHECK(error_of([&] { static_cast<void>(memory::create(name, 100)); }) == EEXIST);
    CHECK(error_of([] { static_cast<void>(memory::open(own_name("unknown"))); }) == ENOENT);
}

TEMPLATE_TEST_CASE("shared_memory: what it refuses", "", SHARED_MEMORY_VOCABULARIES) {
    using memory = typename TestType::shared_memory;
    const std::string longest(80, 'x');
    for (const auto& wrong : {std::string{}, longest + 'x', std::string("a\0b", 3)}) {
        const auto error =
            thrown<std::invalid_argument>([&] { static_cast<void>(memory::create(wrong, 8)); });
        REQUIRE(error);
        CHECK_THAT(error->what(), ContainsSubstring("1 to 80 bytes"));
        CHECK_THROWS_AS(memory::open(wrong), std::invalid_argument);
    }
    CHECK(memory::create(longest, 8).name() == longest);
    CHECK_THROWS_AS(memory::create(own_name("none"), 0), std::invalid_argument);
    CHECK_THROWS_AS(memory::create(own_name("huge"), std::numeric_limits<std::size_t>::max()),
                    std::length_error);
}

TEMPLATE_TEST_CASE("shared_memory: the name goes with its owner, the bytes with the last handle",
                   "", SHARED_MEMORY_VOCABULARIES) {
    using memory = typename TestType::shared_memory;
    const auto name = own_name("owner");
    std::optional<memory> opened;
    {
        std::optional<memory> copy;
        {
            const auto made = memory::create(name, 8);
            copy = made;
            opened = memory::open(name);
        }
        CHECK(memory::open(name).size() == opened->size());
        copy->bytes()[3] = std::byte{3};
    }
    CHECK(error_of([&] { static_cast<void>(memory::open(name)); }) == ENOENT);
    CHECK(opened->bytes()[3] == std::byte{3});
    const auto again = memory::create(name, 8);
    CHECK(again.bytes()[3] == std::byte{0});
    opened.reset();
    CHECK(memory::open(name).bytes()[3] == std::byte{0});
}

TEMPLATE_TEST_CASE("shared_memory: unlink", "", SHARED_MEMORY_VOCABULARIES) {
    using memory = typename TestType::shared_memory;
    const auto name = own_name("unlink");
    const auto first = memory::create(name, 8);
    first.unlink();
    first.unlink();
    CHECK(error_of([&] { static_cast<void>(memory::open(name)); }) == ENOENT);
    first.bytes()[0] = std::byte{1};
    {
        const auto second = memory::create(name, 8);
        CHECK(second.bytes()[0] == std::byte{0});
        first.unlink(); // not the other's name
        CHECK(memory::open(name).bytes()[0] == std::byte{0});
    }
    CHECK(error_of([&] { static_cast<void>(memory::open(name)); }) == ENOENT);
}

TEMPLATE_TEST_CASE("shared_memory: without a block", "", SHARED_MEMORY_VOCABULARIES) {
    const typename TestType::shared_memory none;
    CHECK(none.size() == 0);
    CHECK(none.bytes().empty());
    CHECK(none.name().empty());
}

TEMPLATE_TEST_CASE("shared_memory: others find it by its name", "", SHARED_MEMORY_VOCABULARIES) {
    using memory = typename TestType::shared_memory;
    const auto made = memory::create(own_name("others"), 16);
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](const std::string& name, memory handle) {
            const auto opened = memory::open(name);
            opened.bytes()[0] = std::byte{1};
            handle.bytes()[1] = std::byte{2};
        },
        made.name(), made);
    result_of(other);
    CHECK(made.bytes()[0] == std::byte{1});
    CHECK(made.bytes()[1] == std::byte{2});
    CHECK(memory::open(made.name()).size() == made.size()); // its copy elsewhere was not the last
}
