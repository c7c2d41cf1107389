# How our own code is compiled: the target tidings_flags carries the language,
# the warnings and what the preset asks for. Foreign code never links to it.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Debug)
endif()

# Whole-program flags: foreign sources that we compile take part in these.
if(TIDINGS_SANITIZE)
    add_compile_options(-fsanitize=${TIDINGS_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${TIDINGS_SANITIZE})
endif()
if(TIDINGS_HARDEN)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
        -fstack-protector-strong)
    include(CheckCCompilerFlag) # these two are not for every machine
    foreach(flag IN ITEMS stack-clash-protection cf-protection)
        check_c_compiler_flag(-f${flag} takes_${flag})
        if(takes_${flag})
            add_compile_options(-f${flag})
        endif()
    endforeach()
    add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()

add_library(tidings_flags INTERFACE)
target_compile_definitions(tidings_flags INTERFACE
    _POSIX_C_SOURCE=200809L
    TIDINGS_VERSION="${PROJECT_VERSION}"
    $<$<BOOL:${TIDINGS_SEEDED_BUGS}>:TIDINGS_SEEDED_BUGS>)
target_compile_options(tidings_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 -Wundef
    -Wvla -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference
    -Wdouble-promotion -Werror
    $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond$<SEMICOLON>-Wduplicated-branches$<SEMICOLON>-Wlogical-op>
    $<$<C_COMPILER_ID:Clang>:-Wunreachable-code$<SEMICOLON>-Wcomma>)
