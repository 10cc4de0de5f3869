// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/function_id.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/module_map.hpp>

#include <dlfcn.h>

namespace coproc::detail {
namespace {

[[noreturn]] void not_code() {
    throw serialization_error{
        "coproc: a function pointer does not point into the program or one of its libraries"};
}

std::shared_ptr<const module_info> library_of(std::uintptr_t address) {
    auto found = module_of(address);
    if (found == nullptr) not_code();
    return found;
}

/// The library that the message names, loaded if need be. It then stays loaded: functions of it may
/// be in use for as long as this process runs.
std::shared_ptr<const module_info> library(std::uint64_t key, const std::string& path,
                                           const std::string& build_id) {
    auto found = module_by_key(key);
    if (found == nullptr) {
        if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
            const char* why = ::dlerror();
            throw serialization_error{
                "coproc: cannot load the library that holds a function of this task: " +
                std::string{why != nullptr ? why : path.c_str()}};
        }
        found = module_by_key(key);
    }
    if (found == nullptr || found->build_id != build_id)
        throw serialization_error{
            "coproc: " + path +
            " is another build here than in the process that sent a function of it"};
    return found;
}

} // namespace

function_id identify(const void* address) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (program_module().has_code(at)) return {0, at - program_module().base};
    const auto found = library_of(at);
    return {found->key, at - found->base};
}

[[gnu::hot]] void size_function(sizer& s, const void* address) {
    s.bytes(2 * sizeof(std::uint64_t));
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (address == nullptr || program_module().has_code(at)) return;
    const auto found = library_of(at);
    size(s, found->path);
    size(s, found->build_id);
}

[[gnu::hot]] void encode_function(writer& w, const void* address) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (address == nullptr || program_module().has_code(at)) {
        w.raw(std::uint64_t{0});
        w.raw(static_cast<std::uint64_t>(
            address == nullptr ? 0 : at - program_module().base)); // offset 0 is the file's header
        return;
    }
    const auto found = library_of(at);
    w.raw(found->key);
    w.raw(static_cast<std::uint64_t>(at - found->base));
    encode(w, found->path);
    encode(w, found->build_id);
}

[[gnu::hot]] void* decode_function(reader& r) {
    const auto key = r.raw<std::uint64_t>();
    const auto offset = static_cast<std::uintptr_t>(r.raw<std::uint64_t>());
    if (key == 0) {
        if (offset == 0) return nullptr;
        if (!program_module().has_code(program_module().base + offset)) not_code();
        return reinterpret_cast<void*>(program_module().base + offset);
    }
    const auto path = decode<std::string>(r);
    const auto build_id = decode<std::string>(r);
    const auto found = library(key, path, build_id);
    if (!found->has_code(found->base + offset)) not_code();
    return reinterpret_cast<void*>(found->base + offset);
}

const std::string& program_build_id() { return program_module().build_id; }

} // namespace coproc::detail
