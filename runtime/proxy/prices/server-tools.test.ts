import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toServerTool } from './server-tools.ts'

for (const [type, tool] of [
  ['web_search_20250305', 'web_search'],
  ['web_search_preview_2025_03_11', 'web_search'],
  ['googleSearch', 'web_search'],
  ['google_search', 'web_search'],
  ['web_fetch_20250910', 'web_fetch'],
  ['code_execution_20260521', 'code_execution'],
  ['code_interpreter', 'code_execution'],
  ['file_search', 'file_search'],
  ['googleMaps', 'maps_search'],
  ['image_generation', 'image_generation'],
  ['advisor_20260301', 'advisor'],
  ['bash_20250124', null],
  ['text_editor_20250728', null],
  ['function', null],
  ['functionDeclarations', null],
  ['mcp', null],
  ['something_new_20270101', 'other'],
  ['', 'other'],
  ['constructor', 'other'],
] as const) {
  test(`a tool of type ${type || '(none)'} is charged as ${tool ?? 'nothing'}`, () => {
    assert.equal(toServerTool(type), tool)
  })
}
