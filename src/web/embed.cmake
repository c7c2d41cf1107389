# Embeds src/web/assets/* in the program: the pages and scripts become one C
# table, so the binary needs no files. Run as a script (cmake -P) it writes that
# table; included, it adds the step to the build.
#
# Each file is served under its path below assets/; web_assets.h is the contract.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    set(rows "")
    set(arrays "")
    set(number 0)
    file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${ASSETS}
        ${ASSETS}/*)
    list(SORT files)
    foreach(file IN LISTS files)
        file(READ ${ASSETS}/${file} bytes HEX)
        file(SHA256 ${ASSETS}/${file} digest)
        string(SUBSTRING ${digest} 0 16 tag)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
            "\\1\n" bytes "${bytes}")
        string(APPEND arrays
            "static const unsigned char file_${number}[] = {\n${bytes}0};\n")
        string(APPEND rows "    {\"/${file}\", (const char *)file_${number}, "
            "sizeof file_${number} - 1, \"\\\"${tag}\\\"\"},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    file(WRITE ${TABLE}
        "/* Made from src/web/assets by src/web/embed.cmake. */\n"
        "#include \"web/web_assets.h\"\n\n${arrays}\n"
        "const struct web_asset web_assets[] = {\n${rows}"
        "    {NULL, NULL, 0, NULL}};\n")
    return()
endif()

set(assets_directory ${PROJECT_SOURCE_DIR}/src/web/assets)
set(assets_table ${PROJECT_BINARY_DIR}/web_assets_table.c)
file(GLOB_RECURSE assets CONFIGURE_DEPENDS ${assets_directory}/*)
add_custom_command(OUTPUT ${assets_table}
    COMMAND ${CMAKE_COMMAND} -DASSETS=${assets_directory}
        -DTABLE=${assets_table} -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${assets} ${CMAKE_CURRENT_LIST_FILE}
    COMMENT "Embedding src/web/assets"
    VERBATIM)
target_sources(tidings_core PRIVATE ${assets_table})
