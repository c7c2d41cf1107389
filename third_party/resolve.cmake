# Finds each dependency of sources.lock and gives it one name, third_party::NAME,
# wherever it comes from: -DTIDINGS_<NAME>_SOURCE=directory, else the system's
# package, else what sources.lock pins. All of it is included as system headers,
# so that no warning of ours is about somebody else's code.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

foreach(name IN ITEMS CIVETWEB NATS LMDB JSMN UV CRYPTO ZLIB)
    set(TIDINGS_${name}_SOURCE "" CACHE PATH
        "source directory to use instead of the system's package")
endforeach()

# third_party::<name> stands for `targets`, with their headers as the system's.
function(name_dependency name)
    add_library(third_party_${name} INTERFACE)
    add_library(third_party::${name} ALIAS third_party_${name})
    target_link_libraries(third_party_${name} INTERFACE ${ARGN})
endfunction()

# From a source directory that has its own CMakeLists.txt.
function(use_project name directory target)
    set(BUILD_SHARED_LIBS OFF)
    set(BUILD_TESTING OFF)
    set(CMAKE_C_STANDARD "") # its language is its own choice
    set(CMAKE_C_EXTENSIONS ON)
    add_subdirectory(${directory} ${PROJECT_BINARY_DIR}/source-${name}
        EXCLUDE_FROM_ALL SYSTEM)
    name_dependency(${name} ${target})
endfunction()

# From the system, by its pkg-config name.
function(use_package name module)
    pkg_check_modules(${name} IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${name}_FOUND)
        message(FATAL_ERROR "${name} (${module}) is missing: run scripts/setup, "
            "install the package named in third_party/sources.lock, or give "
            "its source with -DTIDINGS_<NAME>_SOURCE=directory")
    endif()
    name_dependency(${name} PkgConfig::${name})
endfunction()

if(TIDINGS_UV_SOURCE)
    use_project(uv ${TIDINGS_UV_SOURCE} uv_a)
    target_include_directories(third_party_uv SYSTEM INTERFACE
        ${TIDINGS_UV_SOURCE}/include)
else()
    use_package(uv libuv)
endif()

if(TIDINGS_NATS_SOURCE)
    set(NATS_BUILD_STREAMING OFF CACHE BOOL "" FORCE)
    set(NATS_BUILD_EXAMPLES OFF CACHE BOOL "" FORCE)
    use_project(nats ${TIDINGS_NATS_SOURCE} nats_static)
    target_include_directories(third_party_nats SYSTEM INTERFACE
        ${TIDINGS_NATS_SOURCE}/src)
else()
    use_package(nats libnats)
endif()

if(TIDINGS_ZLIB_SOURCE)
    use_project(zlib ${TIDINGS_ZLIB_SOURCE} zlibstatic)
    target_include_directories(third_party_zlib SYSTEM INTERFACE
        ${TIDINGS_ZLIB_SOURCE} ${PROJECT_BINARY_DIR}/source-zlib)
else()
    use_package(zlib zlib)
endif()

# OpenSSL is not built by CMake: give the directory where it is installed.
if(TIDINGS_CRYPTO_SOURCE)
    set(OPENSSL_ROOT_DIR ${TIDINGS_CRYPTO_SOURCE})
    find_package(OPENSSL 3.0 NAMES OpenSSL REQUIRED)
    name_dependency(crypto OpenSSL::SSL OpenSSL::Crypto)
else()
    use_package(crypto openssl>=3.0)
endif()

# LMDB is linked statically: the journal's format and locks are part of us.
if(TIDINGS_LMDB_SOURCE)
    find_path(lmdb_directory mdb.c REQUIRED NO_CACHE NO_DEFAULT_PATH
        PATHS ${TIDINGS_LMDB_SOURCE} ${TIDINGS_LMDB_SOURCE}/libraries/liblmdb)
    add_library(lmdb_static STATIC
        ${lmdb_directory}/mdb.c ${lmdb_directory}/midl.c)
    target_compile_options(lmdb_static PRIVATE -w)
    target_include_directories(lmdb_static SYSTEM PUBLIC ${lmdb_directory})
    name_dependency(lmdb lmdb_static Threads::Threads)
else()
    find_library(LMDB_ARCHIVE liblmdb.a REQUIRED)
    find_path(LMDB_INCLUDE lmdb.h REQUIRED)
    name_dependency(lmdb ${LMDB_ARCHIVE} Threads::Threads)
    target_include_directories(third_party_lmdb SYSTEM INTERFACE
        ${LMDB_INCLUDE})
endif()

find_path(JSMN_INCLUDE jsmn.h REQUIRED HINTS ${TIDINGS_JSMN_SOURCE})
name_dependency(jsmn)
target_include_directories(third_party_jsmn SYSTEM INTERFACE ${JSMN_INCLUDE})

# civetweb: always from source, because civetweb_handoff.c includes it.
if(NOT TIDINGS_CIVETWEB_SOURCE)
    execute_process(
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/fetch-civetweb
        OUTPUT_VARIABLE civetweb_place OUTPUT_STRIP_TRAILING_WHITESPACE
        COMMAND_ERROR_IS_FATAL ANY)
else()
    set(civetweb_place ${TIDINGS_CIVETWEB_SOURCE})
endif()
name_dependency(civetweb)
target_include_directories(third_party_civetweb SYSTEM INTERFACE
    ${civetweb_place}/include ${civetweb_place}/src)
