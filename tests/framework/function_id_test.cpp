// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/function_id.hpp>

#include "support/catch.hpp"

#include <coproc/codec.hpp>
#include <coproc/detail/module_map.hpp>

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace coproc;
using namespace coproc::detail;

namespace {

using binary = int (*)(int, int);

int times(int a, int b) { return a * b; }

class plugin {
public:
    plugin() : handle_{::dlopen(COPROC_TEST_BINARY_DIR "/arithmetic.so", RTLD_NOW | RTLD_LOCAL)} {}
    ~plugin() { close(); }
    plugin(const plugin&) = delete;
    plugin& operator=(const plugin&) = delete;

    explicit operator bool() const { return handle_ != nullptr; }
    binary get(const char* name) const { return reinterpret_cast<binary>(::dlsym(handle_, name)); }
    void close() {
        if (handle_ != nullptr) ::dlclose(std::exchange(handle_, nullptr));
    }

private:
    void* handle_;
};

} // namespace

TEST_CASE("function_id: a function of the program travels in 16 bytes") {
    const auto bytes = to_bytes(&times);
    CHECK(bytes.size() == 16);
    CHECK(from_bytes<binary>(bytes) == &times);
    const auto id = identify(reinterpret_cast<const void*>(&times));
    CHECK(id.module == 0);
    CHECK(id.offset != 0);
}

TEST_CASE("function_id: a function of a library travels with the library's name") {
    const auto get = &::strtol;
    const auto bytes = to_bytes(get);
    CHECK(from_bytes<decltype(get)>(bytes) == get);
}

TEST_CASE("function_id: a null pointer stays one") {
    CHECK(from_bytes<binary>(to_bytes(binary{nullptr})) == nullptr);
}

TEST_CASE("function_id: a library that is not loaded is loaded") {
    plugin library;
    REQUIRE(library);
    const auto plus = to_bytes(library.get("plugin_plus"));
    const auto minus = to_bytes(library.get("plugin_minus"));
    library.close();
    CHECK(from_bytes<binary>(plus)(3, 2) == 5);
    CHECK(from_bytes<binary>(minus)(3, 2) == 1);
}

TEST_CASE("function_id: another build of a library is refused, and so is a missing one") {
    plugin library;
    REQUIRE(library);
    const auto bytes = to_bytes(library.get("plugin_plus"));
    const auto id = identify(reinterpret_cast<const void*>(library.get("plugin_plus")));
    const auto module = module_by_key(id.module);
    REQUIRE(module != nullptr);

    const auto message = [&](std::uint64_t key, const std::string& path, const std::string& build) {
        sizer s;
        s.bytes(16);
        size(s, path);
        size(s, build);
        std::vector<std::byte> out(s.size());
        writer w{out};
        w.raw(key);
        w.raw(id.offset);
        encode(w, path);
        encode(w, build);
        return out;
    };
    CHECK(message(id.module, module->path, module->build_id) == bytes);
    CHECK_THROWS_AS(from_bytes<binary>(message(id.module, module->path, "0123")),
                    serialization_error);
    CHECK_THROWS_WITH(from_bytes<binary>(message(id.module + 2, module->path, "0123")),
                      ContainsSubstring("another build"));
    CHECK_THROWS_WITH(from_bytes<binary>(message(id.module + 2, "/nowhere/lib.so", "0123")),
                      ContainsSubstring("/nowhere/lib.so"));
}

TEST_CASE("function_id: what is not code is refused") {
    static const int data = 0;
    const auto fake = reinterpret_cast<binary>(reinterpret_cast<std::uintptr_t>(&data));
    CHECK_THROWS_AS(to_bytes(fake), serialization_error);
    std::vector<std::byte> bytes(16, std::byte{0x7f});
    std::fill_n(bytes.begin(), 8, std::byte{});
    CHECK_THROWS_AS(from_bytes<binary>(bytes), serialization_error);
}

TEST_CASE("function_id: the program's build id is stable and not empty") {
    CHECK(!program_build_id().empty());
    CHECK(program_build_id() == program_module().build_id);
    CHECK(program_module().path.empty());
    CHECK(program_module().key == 0);
    CHECK(!program_path().empty());
}

TEST_CASE("function_id: many threads may send while libraries come and go") {
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i != 500; ++i) {
                const auto get = &::strtoul;
                if (from_bytes<decltype(get)>(to_bytes(get)) != get) ++wrong;
            }
        });
    for (int i = 0; i != 50; ++i) {
        const plugin library;
        if (from_bytes<binary>(to_bytes(library.get("plugin_plus"))) != library.get("plugin_plus"))
            ++wrong;
    }
    for (auto& thread : threads)
        thread.join();
    CHECK(wrong == 0);
}
