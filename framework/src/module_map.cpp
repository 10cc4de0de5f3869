// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/module_map.hpp>

#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/made_once.hpp>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <mutex>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coproc::detail {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t word) noexcept {
    h = (h ^ word) * 0x9e3779b97f4a7c15U;
    return h ^ (h >> 29);
}

std::uint64_t hash(const void* data, std::size_t size) noexcept {
    const auto* at = static_cast<const unsigned char*>(data);
    std::uint64_t h = mix(0x243f6a8885a308d3U, size);
    for (; size >= 8; size -= 8, at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        h = mix(h, word);
    }
    std::uint64_t rest = 0;
    if (size != 0) std::memcpy(&rest, at, size);
    return mix(h, rest);
}

std::string hex(const unsigned char* bytes, std::size_t size) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i != size; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

std::string noted_build_id(const dl_phdr_info& info) {
    for (std::size_t i = 0; i != info.dlpi_phnum; ++i) {
        const auto& segment = info.dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        const auto* at = reinterpret_cast<const unsigned char*>(info.dlpi_addr + segment.p_vaddr);
        std::size_t left = segment.p_memsz;
        const std::size_t alignment = segment.p_align == 8 ? 8 : 4;
        const auto padded = [alignment](std::size_t n) {
            return (n + alignment - 1) / alignment * alignment;
        };
        while (left >= sizeof(ElfW(Nhdr))) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            const std::size_t description = sizeof note + padded(note.n_namesz);
            const std::size_t whole = description + padded(note.n_descsz);
            if (note.n_descsz > left || note.n_namesz > left || description + note.n_descsz > left)
                break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                std::memcmp(at + sizeof note, "GNU", 4) == 0)
                return hex(at + description, note.n_descsz);
            if (whole >= left) break;
            at += whole;
            left -= whole;
        }
    }
    return {};
}

/// For a file that was linked without a build id: a digest of the code in memory. Path, size and
/// time of the file would be cheaper, but they differ between hosts with the same build, and the
/// file may have been replaced by another one since it was loaded.
std::string code_digest(const dl_phdr_info& info) {
    std::uint64_t h = 0;
    for (std::size_t i = 0; i != info.dlpi_phnum; ++i) {
        const auto& segment = info.dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 ||
            (segment.p_flags & PF_R) == 0)
            continue;
        h = mix(h, segment.p_vaddr);
        h = mix(h, hash(reinterpret_cast<const void*>(info.dlpi_addr + segment.p_vaddr),
                        segment.p_filesz));
    }
    unsigned char bytes[8];
    std::memcpy(bytes, &h, 8);
    return "code-" + hex(bytes, 8);
}

std::string absolute(const char* path) {
    char* resolved = ::realpath(path, nullptr);
    if (resolved == nullptr) return path;
    std::string result{resolved};
    std::free(resolved);
    return result;
}

struct generation {
    unsigned long long loaded = 0;
    unsigned long long unloaded = 0;
    friend bool operator==(const generation&, const generation&) = default;
};

using modules = std::vector<std::shared_ptr<const module_info>>;

struct scan {
    modules found;
    generation now;
    bool first = true;
};

int look_at(dl_phdr_info* info, std::size_t, void* to) {
    auto& s = *static_cast<scan*>(to);
    s.now = {info->dlpi_adds, info->dlpi_subs};
    const bool program = std::exchange(s.first, false);

    module_info m;
    m.base = info->dlpi_addr;
    m.code_begin = UINTPTR_MAX;
    for (std::size_t i = 0; i != info->dlpi_phnum; ++i) {
        const auto& segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
        const auto begin = static_cast<std::uintptr_t>(info->dlpi_addr + segment.p_vaddr);
        m.code_begin = std::min(m.code_begin, begin);
        m.code_end = std::max(m.code_end, begin + segment.p_memsz);
    }
    if (m.code_end == 0) return 0;
    if (!program && (info->dlpi_name == nullptr || std::strchr(info->dlpi_name, '/') == nullptr))
        return 0; // the kernel's vdso
    m.build_id = noted_build_id(*info);
    if (m.build_id.empty()) m.build_id = code_digest(*info);
    if (!program) {
        m.path = absolute(info->dlpi_name);
        m.key = hash(m.build_id.data(), m.build_id.size()) | 1;
    }
    s.found.push_back(std::make_shared<const module_info>(std::move(m)));
    return 0;
}

class module_map {
public:
    /// A module that satisfies the predicate, after a look at what was loaded and unloaded since.
    template <class Wanted>
    std::shared_ptr<const module_info> find(Wanted wanted) {
        const std::scoped_lock lock{mutex_};
        if (seen_ != current() || modules_.empty()) rescan();
        return first(wanted);
    }

private:
    static generation current() {
        generation now;
        ::dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* to) {
                *static_cast<generation*>(to) = {info->dlpi_adds, info->dlpi_subs};
                return 1;
            },
            &now);
        return now;
    }
    template <class Wanted>
    std::shared_ptr<const module_info> first(Wanted& wanted) const {
        const auto found = std::find_if(modules_.begin(), modules_.end(),
                                        [&](const auto& m) { return wanted(*m); });
        return found == modules_.end() ? nullptr : *found;
    }
    void rescan() {
        scan s{};
        ::dl_iterate_phdr(&look_at, &s);
        modules_ = std::move(s.found);
        seen_ = s.now;
    }

    // No thread forks while it is held: the C library holds a lock over dl_iterate_phdr, which
    // would be held for ever in the child.
    fork_mutex mutex_;
    modules modules_;
    generation seen_;
};

module_map& map() {
    static auto& instance = *new module_map; // used until the very end of the program
    return instance;
}

const made_before_main made_early{map};

constinit made_once<std::shared_ptr<const module_info>> program;

} // namespace

[[gnu::hot]] const module_info& program_module() {
    return *program.get([] { return map().find([](const module_info& m) { return m.key == 0; }); });
}

std::shared_ptr<const module_info> module_of(std::uintptr_t address) {
    return map().find([address](const module_info& m) { return m.has_code(address); });
}

std::shared_ptr<const module_info> module_by_key(std::uint64_t key) {
    return map().find([key](const module_info& m) { return m.key == key; });
}

std::string program_path() {
    char path[PATH_MAX];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    return length > 0 ? std::string{path, static_cast<std::size_t>(length)} : std::string{};
}

} // namespace coproc::detail
