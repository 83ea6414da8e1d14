"""The real way from a folder of `transformers` to words, with tiny models that the tests build."""

import json

import numpy as np
import pytest

from ssml import asr
from ssml.errors import UserError

transformers = pytest.importorskip("transformers", reason="needs the extra [asr]")
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C", "D"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A wav2vec 2.0 of random weights with its letters and features, by `save_pretrained`."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({x: i for i, x in enumerate(LETTERS)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    features = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    transformers.Wav2Vec2Processor(features, tokenizer).save_pretrained(folder)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(16, 16),
        conv_kernel=(10, 8),
        conv_stride=(40, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(folder):
    return asr.ASR["transformers"](model=str(folder), batch=2)


def noise(seed, n=16000):
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


def test_one_at_a_time_and_a_batch_give_the_same_words(tiny):
    """Padding to the longest must not be heard."""
    signals = [noise(0), noise(1, 9000), noise(2), noise(3, 9000), noise(4, 12000)]
    together = tiny.many(signals, 16000)
    assert together == [tiny(signal, 16000) for signal in signals]
    assert all(together) and len(set(together)) == 5


def test_level_does_not_matter(tiny):
    assert tiny(100 * noise(0), 16000) == tiny(noise(0), 16000)


def test_what_holds_no_speech_is_an_empty_transcript_and_keeps_its_place(tiny):
    silence, short = np.zeros(16000), noise(3, 100)
    heard = tiny.many([silence, noise(0), short, np.full(16000, np.nan)], 16000)
    assert heard == ["", tiny(noise(0), 16000), "", ""]


def test_another_rate_is_refused(tiny):
    with pytest.raises(UserError, match="16000 Hz"):
        tiny(noise(0), 8000)


def test_what_is_no_model_is_one_clear_line(tmp_path, folder):
    (tmp_path / "config.json").write_text("{}")
    for model, words in ((tmp_path, "cannot be loaded"), ("", "transcribe.options.model: missing")):
        with pytest.raises(UserError, match=words) as caught:
            asr.ASR["transformers"](model=str(model))
        assert "\n" not in str(caught.value)


def test_a_pickle_is_never_read(tmp_path, folder):
    """The same model with its weights as torch saves them is refused."""
    import shutil

    import torch

    shutil.copytree(folder, tmp_path / "pickled")
    weights = tmp_path / "pickled/model.safetensors"
    torch.save({}, weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(UserError, match="cannot be loaded"):
        asr.ASR["transformers"](model=str(tmp_path / "pickled"))
