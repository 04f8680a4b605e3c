"""When a picture is shown and a sample is played: pure decisions about times, no device."""
