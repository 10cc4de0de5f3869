# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# The target `docs`: docs/reference from the headers' docstrings, with warnings as errors.
find_program(COPROC_DOXYGEN doxygen)
mark_as_advanced(COPROC_DOXYGEN)
if(NOT COPROC_DOXYGEN)
    return()
endif()

list(JOIN coproc_include_dirs " " coproc_doxygen_inputs)
configure_file(docs/Doxyfile.in ${PROJECT_BINARY_DIR}/Doxyfile @ONLY)
add_custom_target(docs
    COMMAND ${COPROC_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMENT "Generating the reference into ${PROJECT_BINARY_DIR}/docs/reference"
    VERBATIM)
