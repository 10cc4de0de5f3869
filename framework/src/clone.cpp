// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/clone.hpp>

#include <cerrno>
#include <fcntl.h>
#include <system_error>

namespace coproc::detail {

int duplicated_descriptors::take_descriptor() {
    if (taken_ == from_.size()) throw serialization_error{"coproc: a descriptor is missing"};
    const int own = ::fcntl(from_[taken_], F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        throw std::system_error{errno, std::generic_category(),
                                "coproc: cannot duplicate a descriptor"};
    ++taken_;
    return own;
}

} // namespace coproc::detail
