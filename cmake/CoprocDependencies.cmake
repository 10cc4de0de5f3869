# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# Finds what coproc::coproc itself needs, and sets COPROC_BOOST_TARGETS. Included by the build and,
# installed, by coprocConfig.cmake, so that both agree.

# Within find_package(coproc) what is missing makes it not found; in the build it ends the configuring.
macro(coproc_dependency_missing)
    string(CONCAT coproc_NOT_FOUND_MESSAGE ${ARGN})
    if(NOT CMAKE_FIND_PACKAGE_NAME STREQUAL "coproc")
        message(FATAL_ERROR "${coproc_NOT_FOUND_MESSAGE}")
    endif()
    set(coproc_FOUND FALSE)
    return()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# For managers across machines. In no public header.
find_package(OpenSSL 1.1.1 QUIET)
if(NOT OpenSSL_FOUND)
    coproc_dependency_missing("coproc needs OpenSSL 1.1.1 or later "
        "(on Debian: apt-get install libssl-dev).")
endif()

# Config mode, because it tells several installed versions apart: an older one is passed over.
find_package(Boost 1.81 CONFIG QUIET)
if(NOT Boost_FOUND)
    coproc_dependency_missing("coproc needs the headers of Boost 1.81 or later, with their CMake files "
        "(on Debian 12: apt-get install libboost1.81-dev; on Debian 13: libboost-dev).")
endif()

set(COPROC_BOOST_TARGETS Boost::headers)
if(Boost_VERSION_STRING VERSION_GREATER_EQUAL 1.86)
    # From here on Boost.Process v2 is a compiled library.
    find_package(Boost ${Boost_VERSION_STRING} EXACT CONFIG QUIET OPTIONAL_COMPONENTS process)
    if(NOT TARGET Boost::process)
        coproc_dependency_missing("Boost ${Boost_VERSION_STRING} is here without its compiled library "
            "boost_process, which coproc needs from Boost 1.86 on (Debian 13 does not package it: use "
            "libboost-dev, which is 1.83 there, or set Boost_ROOT to a complete Boost).")
    endif()
    list(APPEND COPROC_BOOST_TARGETS Boost::process)
endif()
