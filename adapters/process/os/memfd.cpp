// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/memfd.hpp>

#include <os/system_call.hpp>

#include <fcntl.h>
#include <sanitized.hpp>
#include <sys/mman.h>
#include <sys/stat.h>

namespace coproc::detail::os {

namespace {

unique_fd make(const char* name, std::uint64_t size, int seals) {
    unique_fd fd{
        check(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "create shared memory")};
    grow_memfd(fd.get(), size);
    check(::fcntl(fd.get(), F_ADD_SEALS, seals), "seal shared memory");
    return fd;
}

} // namespace

unique_fd make_memfd(const char* name, std::uint64_t size) {
    return make(name, size, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

unique_fd make_growing_memfd(const char* name, std::uint64_t size) {
    return make(name, size, F_SEAL_SHRINK | F_SEAL_SEAL);
}

void grow_memfd(int memfd, std::uint64_t size) {
    check(retry([&] { return ::ftruncate(memfd, static_cast<off_t>(size)); }),
          "size shared memory");
}

std::uint64_t sealed_size(int memfd) {
    const int seals = check(::fcntl(memfd, F_GET_SEALS), "examine shared memory");
    if ((seals & F_SEAL_SHRINK) == 0)
        throw_system_error("use shared memory that could shrink", EPERM);
    struct stat status{};
    check(::fstat(memfd, &status), "examine shared memory");
    return static_cast<std::uint64_t>(status.st_size);
}

void punch_hole(int memfd, std::uint64_t offset, std::uint64_t size) noexcept {
    if (size == 0) return;
    static_cast<void>(retry([&]() noexcept {
        return ::fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           static_cast<off_t>(offset), static_cast<off_t>(size));
    }));
}

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

mapping::mapping(int fd, std::uint64_t offset, std::size_t size, access mode) {
    const int protection = mode == access::write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* at = ::mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, fd,
                      static_cast<off_t>(offset));
    if (at == MAP_FAILED) throw_system_error("map shared memory");
    data_ = static_cast<std::byte*>(at);
    size_ = size;
}

mapping::~mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

void mapping::copy_on_write(int fd, std::uint64_t offset) noexcept {
    if (data_ == nullptr) return;
    static_cast<void>(::mmap(data_, size_, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
                             static_cast<off_t>(offset)));
}

void mapping::grow(std::size_t size) {
    void* at = ::mremap(data_, size_, size, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) throw_system_error("map more shared memory");
#ifdef COPROC_SANITIZED
    // ThreadSanitizer does not follow mremap, and would take what was done here before for done to
    // whatever comes here next.
    if (at != data_ &&
        ::mmap(data_, size_, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == data_)
        ::munmap(data_, size_);
#endif
    data_ = static_cast<std::byte*>(at);
    size_ = size;
}

} // namespace coproc::detail::os
