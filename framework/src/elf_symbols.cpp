// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "elf_symbols.hpp"

#include <coproc/detail/type_name.hpp>

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

class mapped_file {
public:
    explicit mapped_file(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return;
        struct stat status{};
        if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
            const auto size = static_cast<std::size_t>(status.st_size);
            void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
            if (at != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(at), size};
        }
        ::close(fd);
    }
    ~mapped_file() {
        if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
    mapped_file(const mapped_file&) = delete;
    mapped_file& operator=(const mapped_file&) = delete;

    /// False when the file ends before that.
    template <class T>
    bool read(std::uint64_t offset, T& to) const {
        if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) return false;
        std::memcpy(&to, bytes_.data() + offset, sizeof(T));
        return true;
    }
    [[nodiscard]] const char* text(std::uint64_t offset) const {
        if (offset >= bytes_.size()) return nullptr;
        const auto* at = reinterpret_cast<const char*>(bytes_.data()) + offset;
        return std::memchr(at, 0, bytes_.size() - offset) != nullptr ? at : nullptr;
    }

private:
    std::span<const std::byte> bytes_;
};

} // namespace

elf_symbols::elf_symbols(const std::string& path) {
    const mapped_file file{path};
    ElfW(Ehdr) header;
    if (!file.read(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
    const auto section = [&](std::size_t index, ElfW(Shdr) & to) {
        return index < header.e_shnum && file.read(header.e_shoff + index * sizeof to, to);
    };
    for (const auto wanted : {SHT_SYMTAB, SHT_DYNSYM}) { // a stripped file has only the second
        for (std::size_t i = 0; i != header.e_shnum; ++i) {
            ElfW(Shdr) table;
            ElfW(Shdr) names;
            if (!section(i, table) || table.sh_type != static_cast<unsigned>(wanted) ||
                !section(table.sh_link, names))
                continue;
            for (std::uint64_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size;
                 at += sizeof(ElfW(Sym))) {
                ElfW(Sym) entry;
                if (!file.read(table.sh_offset + at, entry)) break;
                if ((entry.st_info & 15) != STT_FUNC || entry.st_shndx == SHN_UNDEF ||
                    entry.st_value == 0)
                    continue;
                if (const char* name = file.text(names.sh_offset + entry.st_name))
                    symbols_.push_back({entry.st_value, entry.st_size, name});
            }
        }
        if (!symbols_.empty()) break;
    }
    std::ranges::sort(symbols_, {}, &symbol::begin);
}

std::string elf_symbols::function_at(std::uint64_t address) const {
    const auto after = std::ranges::upper_bound(symbols_, address, {}, &symbol::begin);
    if (after == symbols_.begin()) return {};
    const symbol& found = *(after - 1);
    if (address >= found.begin + found.size) return {};
    return demangle(found.name.c_str());
}

} // namespace coproc::detail
