{
  "variables": { "sanitize%": "" },
  "targets": [{
    "target_name": "sluice",
    "sources": ["native/addon/all.cc"],
    "include_dirs": ["native"],
    "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api"],
    "defines": [
      "NAPI_VERSION=8",
      "NODE_ADDON_API_DISABLE_DEPRECATED",
      "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ],
    "configurations": {
      "Debug": { "defines": ["_GLIBCXX_ASSERTIONS", "NODE_ADDON_API_ENABLE_TYPE_CHECK_ON_AS"] }
    },
    "cflags!": ["-fno-exceptions"],
    "cflags_cc!": ["-std=gnu++14", "-std=gnu++17", "-std=gnu++20", "-fno-exceptions"],
    "cflags_cc": ["-std=c++20", "-fexceptions", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-Wall", "-Wextra", "-Wpedantic", "-Wno-cast-function-type"],
    "conditions": [
      ["OS=='linux'", {
        "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,--version-script=<(module_root_dir)/native/addon/exports.map"]
      }],
      ["OS=='mac'", {
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
          "CLANG_CXX_LIBRARY": "libc++",
          "OTHER_CPLUSPLUSFLAGS": ["-fexceptions"],
          "MACOSX_DEPLOYMENT_TARGET": "11.0",
          "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
          "DEAD_CODE_STRIPPING": "YES"
        }
      }],
      ["OS=='win'", {
        "defines!": ["_HAS_EXCEPTIONS=0"],
        "defines": ["NOMINMAX", "WIN32_LEAN_AND_MEAN"],
        "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20", "/EHsc", "/Zc:__cplusplus", "/guard:cf"] } }
      }],
      ["sanitize!='' and OS=='linux'", {
        "cflags+": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-g", "-O1"],
        "cflags!": ["-fomit-frame-pointer", "-O3"],
        "ldflags+": ["-fsanitize=<(sanitize)"]
      }]
    ]
  }]
}
