"""What this site asks its visitors for: the register of its categories, services and cookies."""

from datetime import timedelta

from consent_widget import Category, Cookie, Service

HALF_A_YEAR = timedelta(days=182)
VIETNAM = {"vi": "Việt Nam", "en": "Vietnam"}


def categories(second_origin: str) -> tuple[Category, ...]:
    """The site's optional categories; they extend the product's own of the same names."""
    return (_preferences(), _analytics(second_origin), _marketing(second_origin))


def _preferences() -> Category:
    return Category(
        name="preferences",
        title={"vi": "Tùy chỉnh cá nhân", "en": "Preferences"},
        purpose={
            "vi": "Ghi nhớ những gì bạn đã chọn để lần sau không phải chọn lại.",
            "en": "Remembers what you chose, so that you need not choose again next time.",
        },
        services=(
            Service(
                name={"vi": "Biểu mẫu liên hệ HTEK", "en": "HTEK contact form"},
                provider="HTEK",
                country=VIETNAM,
                purpose={
                    "vi": "Chọn sẵn dịch vụ bạn đã hỏi lần trước trong biểu mẫu liên hệ.",
                    "en": "Preselects in the contact form the service you asked about last time.",
                },
                cookies=(Cookie(name="demo_topic", lifetime=timedelta(days=30)),),
            ),
        ),
    )


def _analytics(second_origin: str) -> Category:
    return Category(
        name="analytics",
        title={"vi": "Phân tích truy cập", "en": "Analytics"},
        purpose={
            "vi": "Đếm lượt xem và xem trang nào hữu ích để cải thiện website.",
            "en": "Counts visits and shows which pages are useful, so that the site can be improved.",
        },
        sensitive=True,
        services=(
            Service(
                name="Demo Analytics",
                provider=f"Demo Analytics ({second_origin})",
                country=VIETNAM,
                purpose={
                    "vi": "Thống kê lượt truy cập bằng một mã số ngẫu nhiên trong trình duyệt.",
                    "en": "Counts visits by a random number kept in the browser.",
                },
                cookies=(
                    Cookie(name="_demo_visitor", lifetime=HALF_A_YEAR),
                    Cookie(name="demo_analytics", lifetime=HALF_A_YEAR),
                ),
                origins=(second_origin,),
            ),
        ),
    )


def _marketing(second_origin: str) -> Category:
    return Category(
        name="marketing",
        title={"vi": "Tiếp thị", "en": "Marketing"},
        purpose={
            "vi": "Hiển thị video và nội dung giới thiệu của bên thứ ba, đo hiệu quả của chúng.",
            "en": "Shows third-party videos and promotions, and measures how they do.",
        },
        sensitive=True,
        services=(
            Service(
                name="Demo Video",
                provider=f"Demo Video ({second_origin})",
                country=VIETNAM,
                purpose={
                    "vi": "Phát video trong khung nhúng của bên thứ ba.",
                    "en": "Plays videos in a third party's frame.",
                },
                origins=(second_origin,),
            ),
            Service(
                name="Demo Campaign",
                provider=f"Demo Campaign ({second_origin})",
                country=VIETNAM,
                purpose={
                    "vi": "Ghi nhận bạn đến từ chiến dịch giới thiệu nào.",
                    "en": "Notes which promotion brought you here.",
                },
                cookies=(Cookie(name="_demo_campaign", lifetime=timedelta(days=30)),),
                origins=(second_origin,),
            ),
        ),
    )
