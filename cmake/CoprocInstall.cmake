# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

include(CMakePackageConfigHelpers)

set(coproc_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/coproc)

install(TARGETS coproc coproc_main
    EXPORT coproc
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES adapters/process/main/main.cpp DESTINATION ${CMAKE_INSTALL_DATADIR}/coproc)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# find_package(coproc CONFIG)
install(EXPORT coproc
    FILE coprocTargets.cmake NAMESPACE coproc:: DESTINATION ${coproc_cmake_dir})
configure_package_config_file(cmake/coprocConfig.cmake.in ${PROJECT_BINARY_DIR}/coprocConfig.cmake
    INSTALL_DESTINATION ${coproc_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coprocConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/coprocConfig.cmake
    ${PROJECT_BINARY_DIR}/coprocConfigVersion.cmake
    cmake/CoprocDependencies.cmake
    DESTINATION ${coproc_cmake_dir})

# pkg-config. Boost has no .pc files, so what it needs is named by path; a static libcoproc.a passes its
# own needs on to everybody, a shared one only to those who ask with --static.
set(coproc_pc_cflags "-pthread")
get_target_property(boost_include_dir Boost::headers INTERFACE_INCLUDE_DIRECTORIES)
if(boost_include_dir AND NOT boost_include_dir IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    string(APPEND coproc_pc_cflags " -isystem ${boost_include_dir}")
endif()

set(coproc_pc_needs "-lssl -lcrypto -pthread")
if(CMAKE_DL_LIBS)
    string(APPEND coproc_pc_needs " -l${CMAKE_DL_LIBS}")
endif()
if(TARGET Boost::process)
    # By name: the imported target may stand for a static library, which needs Boost.Filesystem too.
    set(coproc_pc_needs "-lboost_process -lboost_filesystem ${coproc_pc_needs}")
endif()

get_target_property(coproc_type coproc TYPE)
if(coproc_type STREQUAL "STATIC_LIBRARY")
    set(coproc_pc_libs "-lcoproc ${coproc_pc_needs}")
    set(coproc_pc_libs_private "")
else()
    set(coproc_pc_libs "-lcoproc -pthread")
    set(coproc_pc_libs_private "${coproc_pc_needs}")
endif()

# Relative to the file itself, so that an installed tree can be moved.
file(RELATIVE_PATH coproc_pc_prefix
    /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" coproc_pc_prefix "${coproc_pc_prefix}")
configure_file(cmake/coproc.pc.in ${PROJECT_BINARY_DIR}/coproc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/coproc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
