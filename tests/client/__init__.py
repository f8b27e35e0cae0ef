import pytest

pytest.register_assert_rewrite("client.asking")
