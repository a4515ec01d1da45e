"""The program's lines: fields with commas and line ends, artifacts that are told twice, noise that is no failure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ondeck.text import is_safe
from providers.packer.program import chosen, sources
from providers.packer.stream import Reader, unescaped

# Recorded: Packer 1.6.6, 2026-11-29, builders `file` and `null`.
FINE = (
    b"1795912390,,ui,message,    file.image: building%!(PACKER_COMMA) 1.0\n"
    b"1795912390,,ui,error,==> file.image: oops\n"
    b"1795912391,,ui,say,Build 'null.check' finished after 1 second 27 milliseconds.\n"
    b"1795912391,,ui,say,Build 'file.image' finished after 1 second 227 milliseconds.\n"
    b"1795912391,,ui,say,\\n==> Wait completed after 1 second 228 milliseconds\n"
    b"1795912391,file.image,artifact-count,2\n"
    b"1795912391,file.image,artifact,0,builder-id,packer.file\n"
    b"1795912391,file.image,artifact,0,id,File\n"
    b"1795912391,file.image,artifact,0,string,Stored file: out/a%!(PACKER_COMMA)b.img\n"
    b"1795912391,file.image,artifact,0,files-count,1\n"
    b"1795912391,file.image,artifact,0,file,0,out/a%!(PACKER_COMMA)b.img\n"
    b"1795912391,file.image,artifact,0,end\n"
    b"1795912391,file.image,artifact,1,builder-id,packer.file\n"
    b"1795912391,file.image,artifact,1,id,File\n"
    b"1795912391,file.image,artifact,1,string,Stored file: out/a%!(PACKER_COMMA)b.img\n"
    b"1795912391,file.image,artifact,1,file,0,out/a%!(PACKER_COMMA)b.img\n"
    b"1795912391,file.image,artifact,1,end\n"
    b"1795912391,null.check,artifact,0,builder-id,fnoeding.null\n"
    b"1795912391,null.check,artifact,0,id,Null\n"
    b"1795912391,null.check,artifact,0,end\n"
)
FAILED = (
    b"1795438579,,ui,error,Build 'null.a' errored after 6 milliseconds: Script exited with non-zero exit status: 4\n"
    b"1795438579,,error-count,1\n"
    b"1795438579,null.a,error,Script exited with non-zero exit status: 4.Allowed exit codes are: [0]\n"
)
INSPECT_HCL = (
    "1795912391,,ui,say,> builds:\\n\\n  > <unnamed build 0>:\\n\\n    sources:\\n\\n      file.image"
    "\\n\\n      null.check"
    "\\n\\n    provisioners:\\n\\n      shell-local\\n\\n    post-processors:\\n\\n      0:\\n        manifest\\n\n"
)
INSPECT_JSON = "1795912391,,template-builder,qemu,qemu\n1795912391,,template-builder,ebs,amazon-ebs\n"


@given(st.integers(min_value=1, max_value=300))
def test_the_same_bytes_give_the_same_reading_however_they_are_cut(size: int) -> None:
    reader = Reader()
    said = [one for at in range(0, len(FINE), size) for one in reader.feed(FINE[at : at + size])]
    assert said[0].text == "    file.image: building, 1.0"
    assert [one.ended for one in said if one.ended] == ["null.check", "file.image"]
    (made,) = reader.artifacts
    assert (made.builder, made.files) == ("file.image", ["out/a,b.img"])
    assert (reader.errors, reader.error_count) == ({}, 0), (
        "what a script writes to its standard error is no failure"
    )


def test_a_failure_is_told_with_its_builder() -> None:
    reader = Reader()
    said = reader.feed(FAILED)
    assert [(one.ended, one.ok) for one in said] == [("null.a", False)]
    assert reader.error_count == 1
    assert "exit status: 4" in reader.errors["null.a"]


def test_builders_are_read_from_both_kinds_of_templates() -> None:
    assert sources(INSPECT_HCL) == ["file.image", "null.check"]
    assert sources(INSPECT_JSON) == ["qemu", "ebs"]
    assert chosen(["file.a", "null.b"], ("file.*",)) == ["file.a"]


@given(st.binary(max_size=200))
def test_lines_of_any_shape_break_nothing_and_act_on_no_terminal(noise: bytes) -> None:
    reader = Reader()
    said = reader.feed(
        noise + b"\n1,,ui,say,\x1b]52;c;aGk=\x07\\nsecond\n1,x,artifact\n1,x,error-count,many\n"
    )
    assert all(is_safe(one.text) for one in said)


def test_a_field_is_unescaped_as_it_was_meant() -> None:
    assert unescaped(r"a%!(PACKER_COMMA)b\r\nc") == "a,b\nc"
